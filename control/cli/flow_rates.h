// Which connections carry most: rates between one pass over pages of `get flows` and the next, in
// bounded memory.
//
// For `podlanectl top`, where flows.counters is on. Of a connection that the last pass has not
// seen, or that there was no room to remember, the rate is that of its life so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace podlane::control {

/// A second, both directions together.
struct FlowRate {
    std::string protocol, from, to;
    double packets = 0, bytes = 0;
};

class FlowRates {
  public:
    /// Connections that are remembered from one pass to the next.
    static constexpr size_t kMost = 65536;
    /// Those of the largest rates that are kept.
    static constexpr size_t kShown = 64;

    /// A connection, as `get flows` has it, seen at this second of any clock.
    void add(const nlohmann::ordered_json& flow, double now_s);
    /// The pass is through, or is shown before it is.
    void end_pass();
    /// Of the last pass, in no order.
    [[nodiscard]] const std::vector<FlowRate>& rates() const noexcept { return shown_; }

  private:
    struct Seen {
        double packets, bytes, at_s;
    };
    using Memory = std::unordered_map<std::string, Seen>;

    /// Leaves the largest by packets and by bytes.
    static void trim(std::vector<FlowRate>& rates);

    Memory before_, now_;
    std::vector<FlowRate> passing_, shown_;
};

}  // namespace podlane::control
