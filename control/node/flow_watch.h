// The workers' records of connections: given names and passed to the flow log, and counted for
// `top`.
//
// The node model owns it and calls it as time passes; control thread. Workers send records only
// while they are wanted, and only a sample if that is enough.
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

/// The receiver of the log, and which connections it gets.
struct FlowLogPlan {
    FlowSample sample = 0;  ///< 0: the log is off
    bool starts = true, ends = true, denials = true;
    std::function<void(const LoggedFlow&)> write;
    std::function<FlowLogStats()> stats;  ///< of the written records
};

class FlowWatch {
  public:
    explicit FlowWatch(Dataplane& dataplane) : dataplane_(dataplane) {}
    /// Workers do not tell any more.
    ~FlowWatch();
    FlowWatch(const FlowWatch&) = delete;
    FlowWatch& operator=(const FlowWatch&) = delete;

    void set_log(FlowLogPlan plan);
    /// Takes the workers' records.
    void tick(const LiveView& live);
    /// Of the last complete window. Counting starts with the first call, and stops after a while
    /// without calls.
    [[nodiscard]] NewFlowReport new_flows(const LiveView& live, size_t count);
    /// None while the log is off.
    [[nodiscard]] std::optional<FlowLogStats> stats() const;

  private:
    /// Equal denials: the first is logged at once, the others as a count.
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
    /// Tells workers which records are wanted now.
    void ask();

    Dataplane& dataplane_;
    FlowLogPlan log_;
    Names names_;
    std::map<DenialKey, Denial> denials_;
    uint64_t lost_ = 0;
    FlowSample asked_ = 0;

    uint32_t one_in_ = 0;     ///< of the counts for new_flows(); 0: not in use
    uint64_t looked_ms_ = 0;  ///< time of the last call
    uint64_t window_ms_ = 0;  ///< when this window began
    uint64_t counted_ = 0;    ///< records in it
    uint64_t last_length_ms_ = 0;
    NewFlows window_, last_;
};

}  // namespace podlane::control
