// Keeps podlaned in sync with the cluster: first it sends everything, then changes, in batches.
//
// These objects belong to the owner "kube": podlaned's other objects are left alone. When the
// connection breaks, or a batch fails, everything is sent again, so that no removed object stays.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "control/rpc/client.h"
#include "control/watch/cluster.h"
#include "lib/base/result.h"

namespace podlane::control {

/// An object that podlaned does not serve, and why.
struct RefusedObject {
    std::string kind;
    std::string name;  ///< "namespace/name" or "name"
    std::string why;
};

using NodeAnnotations = std::map<std::string, std::string>;

struct FeederOptions {
    std::string socket;
    std::string owner = "kube";
    /// Events that come within this time of the first become one change.
    std::chrono::milliseconds gather{2};
};

/// All on the feeder's thread.
struct FeederHandlers {
    /// podlaned has everything, after each connection; with the annotations that its Node is to
    /// have for flannel's nodes.
    std::function<void(const NodeAnnotations&)> on_ready;
    std::function<void(const RefusedObject&)> on_refused;
    std::function<void(const std::string&)> on_log;
};

/// Figures that may be read from any thread.
struct FeederStatus {
    std::atomic<bool> is_ready{false};     ///< podlaned has received everything
    std::atomic<uint64_t> changes{0};      ///< batches that podlaned took
    std::atomic<uint64_t> refused{0};      ///< objects that it did not serve
    std::atomic<uint64_t> slowest_us{0};   ///< from a batch's oldest event to the reply
    std::atomic<int64_t> last_reply_s{0};  ///< wall clock, seconds; 0: none yet
};

/// Threads: run() on one; status() is for any.
class Feeder {
  public:
    /// All of it must outlive the feeder.
    Feeder(Cluster& cluster, FeederOptions options, FeederHandlers handlers,
           const std::atomic<bool>& stop);

    /// Until `stop`; Cluster::wake() makes it look at once.
    void run();

    [[nodiscard]] const FeederStatus& status() const noexcept { return status_; }

  private:
    /// One connection: everything, then changes; returns why it ended.
    Error feed(RpcClient& client);
    Result<void> tell_all(RpcClient& client);
    Result<void> tell(RpcClient& client, Batch batch);
    Result<void> call(RpcClient& client, const char* method, std::string documents);
    void take_reply(const nlohmann::ordered_json& reply);
    [[nodiscard]] bool stops() const noexcept { return stop_.load(std::memory_order_relaxed); }
    void pause(std::chrono::milliseconds time);

    Cluster& cluster_;
    const FeederOptions options_;
    const FeederHandlers handlers_;
    const std::atomic<bool>& stop_;
    FeederStatus status_;
};

}  // namespace podlane::control
