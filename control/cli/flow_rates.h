// Finds the connections with the most traffic: rates between two passes over the pages of `get
// flows`, in bounded memory.
//
// For `podlanectl top`, if flows.counters is on. If the last pass has not seen a connection, or had
// no room for it, its rate is the average over its life so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace podlane::control {

/// Per second, both directions together.
struct FlowRate {
    std::string protocol, from, to;
    double packets = 0, bytes = 0;
};

class FlowRates {
  public:
    /// Connections remembered from one pass to the next.
    static constexpr size_t kMost = 65536;
    /// How many of the highest rates are kept.
    static constexpr size_t kShown = 64;

    /// Adds a connection from `get flows`, seen at this second of any clock.
    void add(const nlohmann::ordered_json& flow, double now_s);
    /// Ends the pass; also called to show one before it is complete.
    void end_pass();
    /// The last pass's rates, in no order.
    [[nodiscard]] const std::vector<FlowRate>& rates() const noexcept { return shown_; }

  private:
    struct Seen {
        double packets, bytes, at_s;
    };
    using Memory = std::unordered_map<std::string, Seen>;

    /// Keeps only the highest by packets and by bytes.
    static void trim(std::vector<FlowRate>& rates);

    Memory before_, now_;
    std::vector<FlowRate> passing_, shown_;
};

}  // namespace podlane::control
