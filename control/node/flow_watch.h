// What workers tell of connections: named and given to the flow log, counted for `top`.
//
// The node model owns it and calls it as time passes; control thread. Workers tell only while
// somebody wants to know, and only of a sample where that is enough.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "control/node/live_view.h"
#include "control/node/new_flows.h"
#include "control/show/logged_flow.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// Who is given what is logged, and of which connections.
struct FlowLogPlan {
    FlowSample sample = 0;  ///< 0: nothing is logged
    bool starts = true, ends = true, denials = true;
    std::function<void(const LoggedFlow&)> write;
    std::function<FlowLogStats()> stats;  ///< of what was written
};

class FlowWatch {
  public:
    explicit FlowWatch(Dataplane& dataplane) : dataplane_(dataplane) {}
    /// Workers do not tell any more.
    ~FlowWatch();
    FlowWatch(const FlowWatch&) = delete;
    FlowWatch& operator=(const FlowWatch&) = delete;

    void set_log(FlowLogPlan plan);
    /// Takes what workers have told.
    void tick(const LiveView& live);
    /// Of the last whole window. Counts from the first call on, until nobody has called for a
    /// while.
    [[nodiscard]] NewFlowReport new_flows(const LiveView& live, size_t count);
    /// None while nothing is logged.
    [[nodiscard]] std::optional<FlowLogStats> stats() const;

  private:
    /// Denials alike, of which the first is logged at once and the others by their number.
    using DenialKey = std::tuple<uint8_t, RawAddress, RawAddress, uint16_t, Drop>;
    struct Denial {
        LoggedFlow flow;
        uint64_t since_ms = 0;  ///< when one was logged last
    };
    /// Names by what records have of them, as of a generation.
    struct Names {
        uint64_t generation = 0;
        uint64_t made_ms = 0;
        uint64_t cost_ms = 0;  ///< of making them
        std::map<ServiceId, std::string> services;
        std::map<IpAddress, std::string> pods;
        std::map<PortId, std::string> ports;
    };

    void take(const LiveView& live, const FlowRecord& record);
    void log(const LiveView& live, const FlowRecord& record);
    void log_denial(const FlowRecord& record, LoggedFlow flow, uint64_t now_ms);
    void tell_denials(uint64_t now_ms);
    void turn_window(uint64_t now_ms);
    void follow_names(const LiveView& live);
    [[nodiscard]] LoggedFlow named(const LiveView& live, const FlowRecord& record) const;
    [[nodiscard]] std::string service_at(const LiveView& live, const LoggedFlow& flow) const;
    /// Asks workers for what is wanted now.
    void ask();

    Dataplane& dataplane_;
    FlowLogPlan log_;
    Names names_;
    std::map<DenialKey, Denial> denials_;
    uint64_t lost_ = 0;
    FlowSample asked_ = 0;

    uint32_t one_in_ = 0;     ///< of what is counted for new_flows(); 0: nobody looks
    uint64_t looked_ms_ = 0;  ///< when somebody looked last
    uint64_t window_ms_ = 0;  ///< when this window began
    uint64_t counted_ = 0;    ///< records in it
    uint64_t last_length_ms_ = 0;
    NewFlows window_, last_;
};

}  // namespace podlane::control
