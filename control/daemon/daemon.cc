#include "control/daemon/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <utility>

#include "control/daemon/http_pages.h"
#include "control/daemon/methods.h"
#include "control/daemon/page.h"
#include "control/daemon/probe_methods.h"

namespace podlane::control {

namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr unsigned kTicksPerSecond = 10;
constexpr std::chrono::microseconds kGather{200};

uint64_t monotonic_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

Daemon::Daemon(NodeConfig config, Dataplane& dataplane, TapMaker& taps, const std::string& dpdk,
               NameServer* name_server, Keeper* keeper, KeptTaps* kept_taps, MetricsConfig metrics,
               PacketProbes* probes, KernelFlows* kernel_flows)
    : dataplane_(dataplane),
      is_kept_(keeper != nullptr),
      signals_(io_, SIGTERM, SIGINT),
      // Our own descriptor, so that closing it here leaves the dataplane's open.
      events_(io_, ::dup(dataplane.event_fd())),
      tick_(io_),
      publish_(io_),
      end_(io_),
      service_health_(io_, [this] { return node_.is_serving(); }),
      node_(std::move(config),
            {dataplane, taps, monotonic_ms,
             [this](const HealthChecks& checks, const std::vector<IpAddress>& addresses) {
                 service_health_.sync(checks, addresses);
             },
             name_server, keeper, kept_taps,
             [this](const UplinkConfig& uplink) {
                 return prepare_uplink_ ? prepare_uplink_(uplink) : Result<void>{};
             },
             kernel_flows}),
      metrics_(metrics),
      http_(io_),
      probes_(dataplane, probes,
              [this](bool looking) { node_.pause_shortcut(ShortcutPause::kProbing, looking); }),
      watchers_(io_, node_),
      server_(io_, methods_, {.path = node_.config().socket}),
      reading_server_(io_, reading_methods_, {.path = node_.config().read_only_socket}),
      hand_over_(
          io_,
          {.dataplane = dataplane,
           .taps = [this] { return handed_taps(); },
           .programs = [this] { return programs_ ? programs_() : std::vector<HandedProgram>{}; },
           .obstacle = [this] { return hand_over_obstacle(); },
           .done =
               [this] {
                   spdlog::info("another podlaned has taken over: ending");
                   stop();
               },
           .failed = [this](const std::string& why, bool had_begun) { go_on(why, had_begun); }}) {
    node_.on_news([this] { watchers_.wake(); });
    process_.dpdk = dpdk;
    register_methods(methods_, node_, watchers_, process_);
    methods_.add("shutdown", [this](RpcRequest& request) -> RpcResult {
        const bool forget = request.params.flag("forget");
        if (auto failure = request.params.failure()) return std::move(*failure);
        return shut_down(forget);
    });
    register_reading_methods(reading_methods_, node_, watchers_, process_);
    register_probe_methods(methods_, probes_, monotonic_ms);
    refuse_probe_methods(reading_methods_);
    hand_over_.add_to(methods_);
    add_http_pages(http_, node_, dpdk, metrics_.services);
    if (metrics_.shows_page()) add_page(http_, node_, dataplane);
}

RpcResult Daemon::shut_down(bool forget) {
    spdlog::info("shutdown{}: stopping", forget ? ", and nothing is left" : "");
    if (forget) node_.forget();
    forgets_ = forgets_ || forget;
    // The reply is sent before the socket closes.
    end_.expires_after(kTick);
    end_.async_wait([this](const boost::system::error_code& failed) {
        if (!failed) stop();
    });
    return nlohmann::ordered_json{{"stopping", true}};
}

void Daemon::begin_flow_log() {
    if (flow_log_ == nullptr) return;
    node_.log_flows({.sample = sample_one_in(flow_log_config_.one_in),
                     .starts = flow_log_config_.starts,
                     .ends = flow_log_config_.ends,
                     .denials = flow_log_config_.denials,
                     .write = [this](const LoggedFlow& flow) { flow_log_->write(flow); },
                     .stats = [this] { return flow_log_->stats(); }});
}

Result<void> Daemon::start() {
    if (auto started = node_.start(); !started.ok()) return started;
    begin_flow_log();
    if (before_serving_) {
        if (auto done = before_serving_(); !done.ok()) return done;
    }
    if (metrics_.listen) http_.listen(metrics_.listen->address, metrics_.listen->port);
    return listen(before_serving_ != nullptr);
}

Result<void> Daemon::listen(bool replace) {
    if (auto listens = server_.start(replace); !listens.ok()) return listens;
    return node_.config().read_only_socket.empty() ? Result<void>{}
                                                   : reading_server_.start(replace);
}

std::string Daemon::hand_over_obstacle() const {
    if (!is_kept_) return "state.keep is false: nothing outlives the process";
    if (ending_) return "it is ending";
    const std::string pod = node_.pod_with_socket();
    if (pod.empty()) return {};
    return fmt::format(
        "pod {} has a socket of DPDK, which can be open in one process only: restart podlaned "
        "instead; connections are kept",
        pod);
}

std::vector<HandedTap> Daemon::handed_taps() {
    node_.rest_shortcut();
    std::vector<HandedTap> out;
    for (const OwnTap& tap : node_.taps()) {
        out.push_back({tap.netns, tap.ifname, dataplane_.queue_fds(tap.port)});
    }
    return out;
}

void Daemon::go_on(const std::string& why, bool had_begun) {
    spdlog::error("nobody has taken over: {}; this podlaned goes on", why);
    if (had_begun) {
        // The other process may have put its own sockets in their place. First of all: whoever
        // connects to those is turned away.
        server_.stop();
        reading_server_.stop();
        if (auto listens = listen(true); !listens.ok()) {
            spdlog::error("{}", listens.error().message);
        }
    }
    node_.go_on(why);
}

void Daemon::run(const std::function<void()>& ready) {
    wait_for_signal();
    wait_for_events();
    wait_for_tick();
    boost::asio::post(io_, ready);
    io_.run();
}

void Daemon::stop() {
    ending_ = true;
    server_.stop();
    reading_server_.stop();
    service_health_.stop();
    http_.stop();
    boost::system::error_code ignored;
    events_.cancel(ignored);
    tick_.cancel();
    publish_.cancel();
    io_.stop();
}

void Daemon::wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& failed, int signal) {
        if (failed) return;
        spdlog::info("{}: stopping", signal == SIGINT ? "SIGINT" : "SIGTERM");
        // From here on signals have their default effect: whoever sends a second one is in a hurry.
        boost::system::error_code ignored;
        signals_.clear(ignored);
        stop();
    });
}

void Daemon::wait_for_events() {
    events_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& failed) {
                           if (failed || ending_) return;
                           node_.handle_events();
                           schedule_publish();
                           wait_for_events();
                       });
}

void Daemon::wait_for_tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([this](const boost::system::error_code& failed) {
        if (failed || ending_) return;
        node_.tick();
        if (flow_log_ != nullptr) flow_log_->flush();
        probes_.tick(monotonic_ms());
        if (++ticks_ % kTicksPerSecond == 0 && each_second_) each_second_();
        schedule_publish();
        wait_for_tick();
    });
}

void Daemon::schedule_publish() {
    if (publish_scheduled_ || !node_.has_pending()) return;
    publish_scheduled_ = true;
    publish_.expires_after(kGather);
    publish_.async_wait([this](const boost::system::error_code& failed) {
        publish_scheduled_ = false;
        if (failed || ending_) return;
        node_.publish_pending();
    });
}

}  // namespace podlane::control
