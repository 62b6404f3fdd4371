// podlaned: puts the parts together. Only this file sees both control and the dataplane.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/attach/pod_attacher.h"
#include "control/config/config_place.h"
#include "control/config/flow_log_config.h"
#include "control/config/metrics_config.h"
#include "control/config/node_config.h"
#include "control/config/security_config.h"
#include "control/config/state_config.h"
#include "control/daemon/background.h"
#include "control/daemon/cpus.h"
#include "control/daemon/daemon.h"
#include "control/daemon/options.h"
#include "control/daemon/privileges.h"
#include "control/daemon/service_manager.h"
#include "control/daemon/syscall_filter.h"
#include "control/daemon/take_over.h"
#include "control/daemon/uplink_guards.h"
#include "control/daemon/version.h"
#include "control/dns/dns_server.h"
#include "control/keep/keeper.h"
#include "control/log/log_sink.h"
#include "control/netdev/kernel_guard.h"
#include "control/netdev/netns.h"
#include "control/node/kept_taps.h"
#include "control/node/log_level.h"
#include "control/node/object_files.h"
#include "control/node/pod_interface.h"
#include "control/node/tap_maker.h"
#include "control/rpc/client.h"
#include "dataplane/runtime.h"
#include "lib/base/printable.h"

namespace {

using namespace podlane;
using control::NodeConfig;

int fail(const std::string& message) {
    fmt::print(stderr, "podlaned: {}\n", printable(message));
    return 1;
}

std::string workers_failure(const NodeConfig& config, const std::string& message) {
    return fmt::format("{}: {}", control::config_place(config.document, "workers"), message);
}

void set_up_log(LogLevel level) {
    // If a log or client goes away, that is an error of one call, not a reason to end.
    std::signal(SIGPIPE, SIG_IGN);
    auto log = std::make_shared<spdlog::logger>("podlaned",
                                                std::make_shared<control::LogSink>(STDERR_FILENO));
    log->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    log->set_level(control::spdlog_level(level));
    log->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(log));
}

/// Each queue of a pod's port and each question to an upstream DNS server needs an open file. A
/// service manager sets the limit to 1024, and lets the process raise it.
void allow_open_files() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0)
        spdlog::warn("open files: {}", std::strerror(errno));
}

dataplane::HugepageMode hugepages_of(control::HugepagesMode mode) {
    switch (mode) {
        case control::HugepagesMode::kOn:
            return dataplane::HugepageMode::kOn;
        case control::HugepagesMode::kOff:
            return dataplane::HugepageMode::kOff;
        case control::HugepagesMode::kAuto:
            break;
    }
    return dataplane::HugepageMode::kAuto;
}

/// Restrictions for threads started later; an empty function restricts nothing.
struct Confinement {
    control::SyscallFiltering seccomp = control::SyscallFiltering::kOff;
    std::function<Result<void>()> worker = {};
    std::function<Result<void>()> name_server = {};
};

/// Confines this thread and every thread that it starts from here on.
Result<Confinement> confine(const control::SecurityConfig& security) {
    using control::SyscallFilter, control::ThreadKind;
    Confinement out;
    if (!security.seccomp || !control::kernel_has_seccomp()) {
        out.seccomp = security.seccomp ? control::SyscallFiltering::kMissing : out.seccomp;
        spdlog::warn("system calls are not filtered: {}",
                     security.seccomp ? "the kernel has no seccomp" : "security.seccomp is off");
        return out;
    }
    const auto worker = SyscallFilter::of(ThreadKind::kWorker);
    const auto name_server = SyscallFilter::of(ThreadKind::kNameServer);
    const auto process = SyscallFilter::of(ThreadKind::kProcess);
    for (const auto* filter : {&worker, &name_server, &process}) {
        if (!filter->ok()) return filter->error();
    }
    if (auto done = process->install(); !done.ok()) return done.error();
    out.seccomp = control::SyscallFiltering::kOn;
    out.worker = [filter = *worker] { return filter.install(); };
    out.name_server = [filter = *name_server] { return filter.install(); };
    return out;
}

/// Starts the process that attaches pods. It shares no CPU with the workers.
Result<std::unique_ptr<control::PodAttacher>> start_attacher(
    const std::string& node, const control::SecurityConfig& security,
    const std::vector<unsigned>& cpus) {
    return control::PodAttacher::start(node, [&]() -> Result<void> {
        if (auto placed = control::run_on_cpus(cpus); !placed.ok()) return placed;
        auto dropped = control::drop_capabilities(control::attaching_capability_bits());
        if (!dropped.ok() || !security.seccomp || !control::kernel_has_seccomp()) return dropped;
        const auto filter = control::SyscallFilter::of(control::ThreadKind::kAttacher);
        return filter.ok() ? filter->install() : filter.error();
    });
}

/// Whether pods can have pairs. Where they are not wanted, or cannot be had, what an earlier
/// process has left of the shortcut carries nothing from here on. `state`: ProcessFacts::shortcut.
std::unique_ptr<control::KernelFlows> open_shortcut(control::PodAttacher& pods, bool wanted,
                                                    std::string& state) {
    auto maps = pods.shortcut(wanted);
    state = "off";
    if (maps.ok() && !maps->has_value()) return nullptr;
    auto opened = maps.ok() ? control::open_kernel_flows(std::move(**maps))
                            : Result<std::unique_ptr<control::KernelFlows>>(maps.error());
    state = opened.ok() ? "on" : opened.error().message;
    if (opened.ok()) return std::move(*opened);
    spdlog::warn("{}; podlaned carries everything", state);
    return nullptr;
}

dataplane::RuntimeConfig runtime_config(const NodeConfig& config, std::vector<int> worker_cpus,
                                        const control::DaemonOptions& options,
                                        std::string kept_flows = {}) {
    dataplane::RuntimeConfig runtime;
    runtime.worker_cpus = std::move(worker_cpus);
    runtime.idle = config.idle == control::IdleMode::kPoll ? dataplane::IdleMode::kPoll
                                                           : dataplane::IdleMode::kAdaptive;
    runtime.hugepages = hugepages_of(config.memory.hugepages);
    runtime.mbufs = config.memory.mbufs;
    runtime.mbuf_bytes = config.memory.mbuf_bytes;
    runtime.flow_capacity = config.flows.capacity;
    runtime.flow_timeouts = config.flows.timeouts;
    runtime.flow_traffic = config.flows.counters;
    runtime.flows_carried = config.pods.shortcut;
    runtime.kept_flows = std::move(kept_flows);
    runtime.kept_flows_log = [](LogLevel level, std::string_view line) {
        spdlog::log(control::spdlog_level(level), "{}", line);
    };
    for (const control::UplinkConfig& uplink : config.uplinks) {
        runtime.uplinks.push_back({uplink.name, uplink.device.text(), uplink.mtu, uplink.mac});
    }
    const auto copies = [](const auto& port) {
        return dataplane::copies_packets(port.device.text());
    };
    runtime.has_own_buffers = std::ranges::all_of(config.uplinks, copies) &&
                              std::ranges::all_of(config.pods.ports, copies);
    runtime.eal_arguments = options.eal_arguments;
    runtime.log_level = options.log_level;
    runtime.log = [](LogLevel level, std::string_view line) {
        spdlog::log(control::spdlog_level(level), "DPDK: {}", line);
    };
    return runtime;
}

/// The dataplane's message, with the place of the device that it is about.
std::string start_failure(const NodeConfig& config, const std::string& message) {
    for (const control::UplinkConfig& uplink : config.uplinks) {
        if (!message.starts_with(fmt::format("port {}: ", uplink.name))) continue;
        const std::string path = control::uplink_device_path(config, uplink.name);
        return fmt::format("{}: {}", control::config_place(config.document, path), message);
    }
    return fmt::format("{}: {}", config.document, message);
}

bool is_running(const std::string& socket) {
    return control::RpcClient::connect(socket).ok();
}

/// After podlaned, which may have been killed, or failed for an error in the configuration.
int run_give_back(const Result<NodeConfig>& config) {
    if (!config.ok()) fail(config.error().message);
    const std::string socket = config.ok() ? config->socket : NodeConfig{}.socket;
    if (is_running(socket)) {
        return fail(fmt::format("--give-back: a podlaned is running at {}", socket));
    }
    const control::GivenBack given = control::give_back(socket);
    for (const std::string& line : given.done) fmt::print("{}: given back\n", line);
    for (const std::string& line : given.failures) fail(line);
    return given.failures.empty() ? 0 : 1;
}

int run_dry(const NodeConfig& config) {
    const auto text = control::preview(config);
    if (text.ok()) fmt::print("{}", *text);
    return text.ok() ? 0 : fail(text.error().message);
}

/// Why this configuration cannot be served next to a running process; empty if it can.
std::string why_not_beside(const NodeConfig& config) {
    const auto alone = [&](const std::string& path, const std::string& device) {
        return fmt::format(
            "{}: device {} can be open in one process only: restart podlaned "
            "instead of taking over; connections are kept",
            control::config_place(config.document, path), device);
    };
    for (const control::UplinkConfig& uplink : config.uplinks) {
        if (dataplane::can_be_shared(uplink.device.text())) continue;
        return alone(control::uplink_device_path(config, uplink.name), uplink.device.text());
    }
    if (config.pods.ports.empty()) return {};
    return alone("pods.ports[0].device", config.pods.ports.front().device.text());
}

/// Of the pods that an earlier process has left, if their namespaces are still there.
std::vector<control::PodTapRequest> kept_interfaces(const NodeConfig& config,
                                                    const control::Keeper& keeper,
                                                    const control::CpuPlan& cpus) {
    std::vector<control::PodTapRequest> out;
    for (const control::KeptPod& pod : keeper.pods()) {
        if (control::netns_id(pod.netns) != pod.netns_id) continue;
        auto request =
            control::kept_interface(config, pod, control::tap_queues_for(cpus.workers.size()));
        if (request) out.push_back(std::move(*request));
    }
    return out;
}

/// Switches over: the other process's workers come to rest and this one's begin.
Result<void> change_over(control::TakeOver& former, const dataplane::Started& started) {
    if (auto rests = former.rest(); !rests.ok()) return rests;
    started.take_flows();
    former.set_forwarding();
    return {};
}

int run(NodeConfig config, const control::MetricsConfig& metrics,
        const control::SecurityConfig& security, const control::DaemonOptions& options,
        const std::function<void()>& tell_ready) {
    // Checked before touching anything that the other process uses.
    const bool takes_over = is_running(config.socket) && options.take_over;
    if (!takes_over && is_running(config.socket)) {
        return fail(fmt::format("{}: another podlaned answers at {}",
                                control::config_place(config.document, "socket"), config.socket));
    }
    const auto cpus = control::plan_cpus(config.workers, config.idle, control::allowed_cpus());
    if (!cpus.ok()) {
        return fail(workers_failure(config, cpus.error().message));
    }
    const auto state = control::load_state_config(options.config, config.socket);
    if (!state.ok()) return fail(state.error().message);
    const auto flow_log = control::load_flow_log_config(options.config);
    if (!flow_log.ok()) return fail(flow_log.error().message);
    const auto attacher = start_attacher(config.node, security, cpus->control);
    if (!attacher.ok()) return fail(attacher.error().message);
    control::PodAttacher& pods = **attacher;
    spdlog::info("pods are attached by process {}", pods.pid());
    std::optional<control::TakeOver> former;
    if (takes_over) {
        if (auto why = why_not_beside(config); !why.empty()) return fail(why);
        auto begun =
            control::TakeOver::begin(config.socket, static_cast<unsigned>(cpus->workers.size()));
        if (!begun.ok()) return fail(begun.error().message);
        former.emplace(std::move(begun).value());
    }
    std::optional<control::Keeper> keeper;
    if (state->keep) {
        keeper.emplace(state->directory);
    } else {
        dataplane::forget_flows(state->directory);
    }
    control::Keeper* const kept = keeper ? &*keeper : nullptr;
    auto guards = control::guard_interfaces(config, former ? &*former : nullptr);
    if (!guards.ok()) return fail(guards.error().message);
    control::LeftAsTheyWere left_as_they_were(*guards);
    const auto taken = control::taken_links(*guards);
    config = control::with_taken_routes(std::move(config), taken);
    for (const std::string& line : control::limits_of_taken_routes(config, taken)) {
        spdlog::warn("{}", line);
    }
    const Result<gid_t> keys =
        security.keys.empty() ? Result<gid_t>(gid_t(-1)) : control::keys_group(security);
    if (!keys.ok()) {
        return fail(fmt::format("{}: {}", control::config_place(config.document, "security.keys"),
                                keys.error().message));
    }
    auto confined = confine(security);
    if (!confined.ok()) {
        return fail(fmt::format("{}: {}", control::config_place(config.document, "security"),
                                confined.error().message));
    }
    std::string shortcut;
    const auto kernel_flows = open_shortcut(pods, config.pods.shortcut, shortcut);
    config.pods.shortcut = kernel_flows != nullptr;
    dataplane::RuntimeConfig runtime =
        runtime_config(config, cpus->workers, options, state->keep ? state->directory : "");
    runtime.waits_for_flows = takes_over;
    runtime.confine_worker = std::move(confined->worker);
    auto uplink_taps = control::open_uplink_taps(config, pods, cpus->workers.size());
    if (!uplink_taps.ok()) return fail(uplink_taps.error().message);
    for (dataplane::UplinkRequest& uplink : runtime.uplinks) {
        const auto tap = uplink_taps->find(uplink.name);
        if (tap != uplink_taps->end()) uplink.tap = tap->second;
    }
    const std::string node = config.node;
    control::KeptTapMaker kept_taps(node, pods,
                                    former ? former->take_taps() : control::KeptTapMaker::Queues{});
    // DPDK takes a while to start, and sleeps for most of it.
    if (kept != nullptr) kept->read_ahead();
    if (kept != nullptr && !former) kept_taps.attach_ahead(kept_interfaces(config, *kept, *cpus));
    auto started = dataplane::start(runtime);
    if (!started.ok()) return fail(start_failure(config, started.error().message));
    // Threads that libraries start later inherit it too; none may disturb a worker.
    if (auto placed = control::run_on_cpus(cpus->control); !placed.ok()) {
        spdlog::warn("control thread: {}", placed.error().message);
    }
    spdlog::info("memory: {}", started->memory);
    for (const std::string& hint : cpus->hints) spdlog::info("hint: {}", hint);
    for (const std::string& hint : started->hints) spdlog::info("hint: {}", hint);

    const std::string socket = config.socket;
    const uint64_t capabilities = control::kept_capability_bits(control::device_needs(config));
    control::KernelTapMaker own_taps(pods);
    own_taps.take_from(taken);
    kept_taps.take_from(taken);
    control::TapMaker& taps =
        kept != nullptr ? static_cast<control::TapMaker&>(kept_taps) : own_taps;
    if (kept == nullptr && config.host) {
        control::remove_left_tap(config.host->interface, config.node);
    }
    control::DnsServer name_server(
        {.upstreams = config.cluster.upstream_dns, .confine = std::move(confined->name_server)});
    control::Daemon daemon(std::move(config), *started->dataplane, taps, PODLANE_DPDK_VERSION,
                           &name_server, kept, kept != nullptr ? &kept_taps : nullptr, metrics,
                           started->probes, kernel_flows.get());
    daemon.log_flows(*flow_log);
    daemon.set_security(confined->seccomp, *keys);
    daemon.set_shortcut(shortcut);
    if (control::has_service_manager()) daemon.set_managed();
    daemon.prepare_uplink([&guards = *guards, socket](const control::UplinkConfig& uplink) {
        return control::guard_again(uplink, socket, guards);
    });
    daemon.hand_over_programs([&guards = *guards] { return control::programs_of(guards); });
    if (former) {
        daemon.before_serving([&former, &started] { return change_over(*former, *started); });
    }
    bool can_attach = true;
    daemon.each_second([&guards = *guards, &daemon, &pods, &can_attach] {
        if (const auto ended = pods.how_it_ended(); ended && can_attach) {
            // A new one would need privileges that this process has dropped.
            spdlog::error("the process that attaches pods has ended {}: podlaned ends as well",
                          *ended);
            can_attach = false;
            daemon.stop();
        }
        if (daemon.is_live()) control::notify_service_manager("WATCHDOG=1");
        control::look_at_guards(guards);
    });
    if (auto up = daemon.start(); !up.ok()) return fail(up.error().message);
    if (!former) pods.sweep();
    if (auto done = control::drop_capabilities(capabilities); !done.ok()) {
        spdlog::warn("capabilities that are not used: {}", done.error().message);
    }
    daemon.run([&] {
        if (former) {
            if (auto told = former->done(); !told.ok()) spdlog::warn("{}", told.error().message);
            started->keep_flows();
            former->take_log();
            spdlog::info("taken over from podlaned {}: nobody forwarded for {:.1f} ms",
                         former->version(), former->away_ms());
        }
        spdlog::info("ready");
        control::notify_service_manager("READY=1");
        if (tell_ready) tell_ready();
    });
    control::notify_service_manager("STOPPING=1");
    if (kept != nullptr && daemon.forgets()) dataplane::forget_flows(state->directory);
    if (kept != nullptr && !daemon.forgets()) {
        for (control::KernelInterfaceGuard& guard : *guards) guard.leave();
    } else {
        left_as_they_were.release();
    }
    return can_attach ? 0 : 1;
}

/// Whether this podlaned can continue with what another one has, or has left behind.
Result<void> check_state(const std::string& folder) {
    std::error_code ignored;
    if (std::filesystem::exists(folder + "/journal", ignored)) {
        const auto journal = control::Keeper::look(folder);
        if (!journal.ok()) return journal.error();
        fmt::print("           {}\n", *journal);
    }
    const auto flows = dataplane::look_at_kept_flows(folder);
    if (!flows.ok()) return flows.error();
    for (const std::string& line : *flows) fmt::print("           {}\n", line);
    return {};
}

/// Reports what would be done; reads the objects that would be applied as well.
int check(const NodeConfig& config, const control::MetricsConfig& metrics,
          const control::SecurityConfig& security, const control::DaemonOptions& options) {
    const auto cpus = control::plan_cpus(config.workers, config.idle, control::allowed_cpus());
    if (!cpus.ok()) return fail(workers_failure(config, cpus.error().message));
    const auto objects = control::check_object_files(config);
    if (!objects.ok()) return fail(objects.error().message);
    fmt::print("{}", control::describe(
                         config, dataplane::memory_summary(runtime_config(config, {}, options))));
    const auto state = control::load_state_config(options.config, config.socket);
    if (!state.ok()) return fail(state.error().message);
    fmt::print("{:<10} {}\n", "state",
               state->keep ? "kept over a restart, in " + state->directory
                           : "nothing is kept over a restart");
    if (options.state && state->keep) {
        if (auto looked = check_state(state->directory); !looked.ok()) {
            return fail(looked.error().message);
        }
    }
    if (!config.objects.empty()) {
        fmt::print("           {} objects that concern the dataplane\n", objects->count);
    }
    for (const std::string& notice : objects->notices) {
        fmt::print("notice: {}\n", printable(notice));
    }
    const auto flow_log = control::load_flow_log_config(options.config);
    if (!flow_log.ok()) return fail(flow_log.error().message);
    fmt::print("{}{}{}", control::describe(metrics), control::describe(*flow_log),
               control::describe(security));
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    const auto options = control::parse_daemon_options(argc, argv);
    if (!options.ok()) {
        fmt::print(stderr, "podlaned: {}\n{}", options.error().message, control::daemon_usage());
        return 2;
    }
    if (options->help) {
        fmt::print("{}", control::daemon_usage());
        return 0;
    }
    if (options->version) {
        fmt::print("podlaned {} ({})\n", control::version(), PODLANE_DPDK_VERSION);
        return 0;
    }
    std::function<void()> tell_ready;
    if (options->background && !options->check && !options->dry_run && !options->give_back) {
        auto apart = control::run_in_background();
        if (!apart.ok()) return fail(apart.error().message);
        if (!apart->tell_ready) return apart->exit_code;
        tell_ready = std::move(apart->tell_ready);
    }
    auto config = control::load_node_config(options->config);
    if (options->give_back) return run_give_back(config);
    if (!config.ok()) return fail(config.error().message);
    const auto metrics = control::load_metrics_config(options->config);
    if (!metrics.ok()) return fail(metrics.error().message);
    const auto security = control::load_security_config(options->config);
    if (!security.ok()) return fail(security.error().message);
    if (options->check) return check(*config, *metrics, *security, *options);
    if (options->dry_run) return run_dry(*config);
    set_up_log(options->log_level);
    allow_open_files();
    if (auto done = control::forbid_new_privileges(); !done.ok()) return fail(done.error().message);
    const Result<NodeConfig> same = config;
    const int code = run(std::move(config).value(), *metrics, *security, *options, tell_ready);
    // One that runs has taken over.
    if (options->give_back_at_end && !is_running(same->socket)) run_give_back(same);
    return code;
} catch (const std::exception& error) {
    return fail(error.what());
}
