// podlane-kube's writes to the API server: an Event on each object that is not served, saying why,
// and the condition that the node's network is up.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "control/watch/api_client.h"
#include "control/watch/cluster.h"
#include "control/watch/feeder.h"
#include "control/watch/load_balancers.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The Event's JSON for a refused object (v1 Event; the reason is "NotServed"). `now`: RFC 3339 in
/// UTC. `uid` may be empty.
[[nodiscard]] std::string refusal_event(const RefusedObject& object, const std::string& uid,
                                        const std::string& node, const std::string& now,
                                        uint64_t serial);

/// A strategic merge patch of a Node by its status: NetworkUnavailable is False, said by Podlane,
/// and it has these annotations.
[[nodiscard]] std::string node_patch(const NodeAnnotations& annotations, const std::string& now);

/// Whether the Node, given as the API server's JSON, lacks a part of that patch. False for an
/// unknown Node.
[[nodiscard]] bool node_lacks(const std::string& node, const NodeAnnotations& annotations);

/// Now as RFC 3339 in UTC, whole seconds.
[[nodiscard]] std::string rfc3339_now();

/// Threads: one. Failures are returned for the log; values that the server already has are not
/// written again.
class Writer {
  public:
    /// All of it must outlive the writer.
    Writer(ApiClient& client, const Cluster& cluster, std::string node);

    /// Once for each object and reason.
    Result<void> tell_refusal(const RefusedObject& object);
    /// This node's condition and annotations, if the server has them otherwise.
    Result<void> tell_node(const NodeAnnotations& annotations);
    /// The status of a Service or Ingress.
    Result<void> tell_status(const StatusPatch& status);

  private:
    Result<void> patch(const std::string& target, const char* content_type,
                       const std::string& body);

    ApiClient& client_;
    const Cluster& cluster_;
    const std::string node_;
    std::set<std::pair<std::string, std::string>> told_;  ///< object and reason
    uint64_t serial_ = 0;
};

}  // namespace podlane::control
