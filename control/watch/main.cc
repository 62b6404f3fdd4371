// podlane-kube: watches the API server and keeps podlaned equal to it.
//
// Threads: one for each resource, one that feeds podlaned, one that writes to the API server, one
// for /healthz; this one waits for a signal.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "control/log/log_sink.h"
#include "control/watch/api_client.h"
#include "control/watch/api_server.h"
#include "control/watch/cluster.h"
#include "control/watch/feeder.h"
#include "control/watch/healthz.h"
#include "control/watch/install_file.h"
#include "control/watch/load_balancers.h"
#include "control/watch/options.h"
#include "control/watch/resource.h"
#include "control/watch/watcher.h"
#include "control/watch/writer.h"
#include "lib/base/printable.h"

namespace {

using namespace podlane;
using namespace podlane::control;

/// How often the server's state is compared with the wanted one; the second is after a failure.
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::seconds kRetry{10};

/// Refused objects on their way to the thread that writes Events. Bounded: Events are only hints,
/// and the log has all of them.
class RefusalQueue {
  public:
    void put(const RefusedObject& object) {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() < kMost) waiting_.push_back(object);
        changed_.notify_one();
    }
    void node_is_ready(const NodeAnnotations& annotations) {
        const std::lock_guard lock(mutex_);
        node_ = annotations;
        changed_.notify_one();
    }
    struct Work {
        std::optional<RefusedObject> refusal;
        std::optional<NodeAnnotations> node;  ///< to be set from now on
    };
    Work take() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(200),
                          [&] { return !waiting_.empty() || node_; });
        Work work;
        work.node = std::exchange(node_, std::nullopt);
        if (!waiting_.empty()) {
            work.refusal = std::move(waiting_.front());
            waiting_.pop_front();
        }
        return work;
    }

  private:
    static constexpr size_t kMost = 1000;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<RefusedObject> waiting_;
    std::optional<NodeAnnotations> node_;
};

/// Only once podlaned has everything: before that it knows no address.
Result<void> write_statuses(const KubeOptions& options, LoadBalancerStatus& load_balancers,
                            Writer& writer, const FeederStatus& feeder) {
    if (!feeder.is_ready) return {};
    auto podlaned = RpcClient::connect(options.socket);
    if (!podlaned) return podlaned.error();
    const auto due = load_balancers.due(*podlaned);
    if (!due || !feeder.is_ready) return due ? Result<void>{} : due.error();
    for (const StatusPatch& each : *due) {
        if (auto done = writer.tell_status(each); !done) return done;
        spdlog::info("{}: {}", each.target, each.body);
    }
    return {};
}

void write_to_server(const KubeOptions& options, const ApiServer& server, const Cluster& cluster,
                     RefusalQueue& queue, const FeederStatus& feeder,
                     const std::atomic<bool>& stop) {
    ApiClient client(server, stop);
    Writer writer(client, cluster, options.node);
    LoadBalancerStatus load_balancers(cluster, options.node, options.ingress_service,
                                      options.ingress_class);
    const auto log = [](const Result<void>& done) {
        if (!done) spdlog::warn("{}", done.error().message);
    };
    using Clock = std::chrono::steady_clock;
    std::optional<NodeAnnotations> wanted;
    Clock::time_point next_look{};
    Clock::time_point next_statuses{};
    while (!stop) {
        RefusalQueue::Work work = queue.take();
        if (!options.writes) continue;
        if (work.node) {
            wanted = std::move(work.node);
            next_look = Clock::now();
        }
        if (work.refusal) log(writer.tell_refusal(*work.refusal));
        // Another program may remove the annotations, or recreate the Node.
        if (wanted && Clock::now() >= next_look) {
            const auto told = writer.tell_node(*wanted);
            log(told);
            next_look = Clock::now() + (told ? kLook : kRetry);
        }
        if (Clock::now() >= next_statuses) {
            const auto told = write_statuses(options, load_balancers, writer, feeder);
            log(told);
            next_statuses = Clock::now() + (told ? kLook : kRetry);
        }
    }
}

int run(const KubeOptions& options, const ApiServer& server) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    // Before any thread starts: all inherit the mask, and only sigwait() below receives the
    // signals.
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    std::atomic<bool> stop{false};
    Cluster cluster(watched_resources());
    RefusalQueue refusals;
    FeederHandlers handlers;
    handlers.on_log = [](const std::string& text) { spdlog::info("{}", text); };
    handlers.on_refused = [&](const RefusedObject& object) {
        spdlog::warn("{} {} is not served: {}", object.kind, object.name, object.why);
        refusals.put(object);
    };
    handlers.on_ready = [&](const NodeAnnotations& annotations) {
        if (!options.cni_source.empty()) {
            auto done = install_file(options.cni_source, options.cni_target);
            if (done)
                spdlog::info("CNI configuration {} is in place", options.cni_target);
            else
                spdlog::error("CNI configuration: {}", done.error().message);
        }
        refusals.node_is_ready(annotations);
    };
    Feeder feeder(cluster, {.socket = options.socket}, std::move(handlers), stop);

    const auto proxy_health = [&feeder] {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return ProxyHealth{feeder.status().is_ready, feeder.status().last_reply_s,
                           std::chrono::duration_cast<std::chrono::seconds>(now).count()};
    };
    std::unique_ptr<HealthServer> health, proxy_status;
    if (!options.healthz.empty()) {
        auto started = HealthServer::start(options.healthz, proxy_health);
        if (!started) {
            fmt::print(stderr, "podlane-kube: healthz {}\n", printable(started.error().message));
            return 1;
        }
        health = std::move(*started);
    }
    if (!options.proxy_status.empty()) {
        auto started = HealthServer::start(options.proxy_status, proxy_health);
        // A kube-proxy that still runs has the port, and nothing depends on it.
        if (started)
            proxy_status = std::move(*started);
        else
            spdlog::warn("proxy-status {}", printable(started.error().message));
    }

    std::thread feeding([&] { feeder.run(); });
    std::thread writing(
        [&] { write_to_server(options, server, cluster, refusals, feeder.status(), stop); });
    std::list<Watcher> watchers;
    for (const Resource& each : watched_resources())
        watchers.emplace_back(
            each, server, cluster, [](const std::string& text) { spdlog::warn("{}", text); }, stop);
    spdlog::info("watching {} for node {}", server.url, options.node);

    int signal_number = 0;
    sigwait(&ends, &signal_number);
    spdlog::info("signal {}: ending", signal_number);
    stop = true;
    cluster.wake();
    watchers.clear();
    feeding.join();
    writing.join();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse_kube_options(argc, argv);
    if (!options) {
        fmt::print(stderr, "podlane-kube: {}\n", printable(options.error().message));
        return 2;
    }
    if (options->help) {
        fmt::print("{}", kube_usage());
        return 0;
    }
    if (options->version) {
        fmt::print("podlane-kube {}\n", PODLANE_VERSION);
        return 0;
    }
    const auto server = options->kubeconfig.empty() ? in_cluster_server(options->service_account)
                                                    : read_kubeconfig(options->kubeconfig);
    if (!server) {
        fmt::print(stderr, "podlane-kube: {}\n", printable(server.error().message));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    auto log =
        std::make_shared<spdlog::logger>("podlane-kube", std::make_shared<LogSink>(STDOUT_FILENO));
    log->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    log->set_level(spdlog::level::from_str(options->log_level));
    log->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(log));
    return run(*options, *server);
}
