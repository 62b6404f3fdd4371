// The addresses with the most connections in the flow table, counted over pages of `get flows` in
// bounded memory.
//
// For `podlanectl top`. Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a new sender takes the
// place and the count of the smallest one. So every sender with more than one in kMost connections
// is listed, and no count is too low.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podlane::control {

struct FlowHolder {
    std::string from;     ///< an address
    std::string in_port;  ///< the port that leads there
    std::string last_to;  ///< destination of its connection that was seen last
    uint64_t flows = 0;
};

class FlowHolders {
  public:
    static constexpr size_t kMost = 1024;

    /// A connection, as `get flows` has it.
    void add(const nlohmann::ordered_json& flow);
    /// The largest first, at most `count`.
    [[nodiscard]] std::vector<FlowHolder> top(size_t count) const;
    [[nodiscard]] bool empty() const noexcept { return by_sender_.empty(); }

  private:
    std::map<std::string, FlowHolder> by_sender_;
};

}  // namespace podlane::control
