// The daemon's life once the workers run: its event loop, the config socket, signals, the clock.
//
// Made by the composition root (main.cc); everything runs on the thread that calls run().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/config/flow_log_config.h"
#include "control/config/metrics_config.h"
#include "control/config/node_config.h"
#include "control/daemon/hand_over.h"
#include "control/daemon/methods.h"
#include "control/daemon/probe_sessions.h"
#include "control/daemon/watchers.h"
#include "control/flowlog/flow_log.h"
#include "control/health/service_health.h"
#include "control/http/http_server.h"
#include "control/node/node_model.h"
#include "control/node/tap_maker.h"
#include "control/rpc/methods.h"
#include "control/rpc/server.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

class Daemon {
  public:
    /// `dataplane` and `taps` must outlive the daemon. `dpdk`: its version, for `version`.
    Daemon(NodeConfig config, Dataplane& dataplane, TapMaker& taps, const std::string& dpdk,
           NameServer* name_server = nullptr, Keeper* keeper = nullptr,
           KeptTaps* kept_taps = nullptr, MetricsConfig metrics = {.listen = std::nullopt},
           PacketProbes* probes = nullptr, KernelFlows* kernel_flows = nullptr);

    /// Ports, objects, socket, in this order. On an error nothing is left behind.
    [[nodiscard]] Result<void> start();
    /// Runs until SIGTERM or SIGINT, then ends cleanly; a second signal ends the process at once.
    /// `ready` is called when the loop answers.
    void run(const std::function<void()>& ready);
    /// Connections are logged so, if at all. Before start().
    void log_flows(const FlowLogConfig& config) {
        if (config.is_on()) flow_log_ = std::make_unique<FlowLog>(config);
        flow_log_config_ = config;
    }
    /// Called about once a second while it runs. Before run().
    void each_second(std::function<void()> work) { each_second_ = std::move(work); }
    /// Before start().
    void set_security(SyscallFiltering seccomp, gid_t keys_group) noexcept {
        process_.seccomp = seccomp;
        process_.keys_group = keys_group;
    }
    /// ProcessFacts::shortcut. Before start().
    void set_shortcut(std::string state) { process_.shortcut = std::move(state); }
    /// Call if a service manager started this process and waits for its messages.
    void set_managed() noexcept { process_.is_managed = true; }
    /// False if something is wrong that only a restart can fix.
    [[nodiscard]] bool is_live() const noexcept { return node_.is_live(); }
    /// Called before an uplink's device that was gone is opened again. Before start().
    void prepare_uplink(std::function<Result<void>(const UplinkConfig&)> work) {
        prepare_uplink_ = std::move(work);
    }
    /// `work` is called in start(), after the node's first generation and before clients are
    /// served. Its Error ends the start. Afterwards the sockets replace those of the running
    /// podlaned.
    void before_serving(std::function<Result<void>()> work) { before_serving_ = std::move(work); }
    /// What is handed over with the TAPs if another podlaned takes over. Call before run().
    void hand_over_programs(std::function<std::vector<HandedProgram>()> programs) {
        programs_ = std::move(programs);
    }
    /// Makes run() return; from its own thread only.
    void stop();
    /// A client has asked that nothing be left behind at the end.
    [[nodiscard]] bool forgets() const noexcept { return forgets_; }

  private:
    RpcResult shut_down(bool forget);
    /// Why a running podlaned cannot be taken over; empty if it can.
    [[nodiscard]] std::string hand_over_obstacle() const;
    /// From here on the kernel carries nothing for this process.
    [[nodiscard]] std::vector<HandedTap> handed_taps();
    /// The takeover failed: continue.
    void go_on(const std::string& why, bool had_begun);
    [[nodiscard]] Result<void> listen(bool replace);
    void begin_flow_log();
    void wait_for_signal();
    void wait_for_events();
    void wait_for_tick();
    /// Publishes soon, so that a burst of events makes one generation.
    void schedule_publish();

    Dataplane& dataplane_;
    const bool is_kept_;  ///< the node's state outlives the process
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_;
    boost::asio::posix::stream_descriptor events_;
    boost::asio::steady_timer tick_;
    std::function<void()> each_second_;
    std::function<Result<void>(const UplinkConfig&)> prepare_uplink_;
    std::function<Result<void>()> before_serving_;
    std::function<std::vector<HandedProgram>()> programs_;
    unsigned ticks_ = 0;
    boost::asio::steady_timer publish_;
    boost::asio::steady_timer end_;
    bool publish_scheduled_ = false;
    bool ending_ = false;
    bool forgets_ = false;
    ProcessFacts process_;
    ServiceHealth service_health_;
    FlowLogConfig flow_log_config_;
    std::unique_ptr<FlowLog> flow_log_;  ///< null: off. The node model gives to it
    NodeModel node_;
    const MetricsConfig metrics_;
    HttpServer http_;
    ProbeSessions probes_;
    Watchers watchers_;
    RpcMethods methods_;
    RpcServer server_;
    RpcMethods reading_methods_;
    RpcServer reading_server_;  ///< started only where it has a path
    HandOver hand_over_;
};

}  // namespace podlane::control
