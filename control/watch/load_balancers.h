// Writes addresses into the status of Services and Ingresses: those that podlaned took from its
// loadBalancer.pools, and those of the Service in front of the Ingress proxy.
//
// All nodes compute the same addresses, and one of them writes: the first by name that is ready and
// on which Podlane is up. If two write for a moment, it does no harm, because they write the same.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/rpc/client.h"
#include "control/watch/cluster.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Addresses of each Service, as podlaned's `get addresses` has them; sorted.
using ServiceAddresses = std::map<std::string, std::set<std::string>>;

/// A status to be written: the object's path below /apis or /api, and its merge patch.
struct StatusPatch {
    std::string target;
    std::string body;
};

/// Whether a Node, as the API server's JSON, is ready and says that Podlane is up.
[[nodiscard]] bool can_write(const std::string& node);

/// The patch of a Service or Ingress, given as the API server's JSON, that puts these addresses
/// into its status; an empty target if it has them already.
[[nodiscard]] StatusPatch status_patch(const std::string& object,
                                       const std::set<std::string>& addresses);

/// Threads: one.
class LoadBalancerStatus {
  public:
    /// `cluster` must outlive it. `ingress_service` may be empty: Ingresses are left alone.
    LoadBalancerStatus(const Cluster& cluster, std::string node, std::string ingress_service,
                       std::string ingress_class);

    /// The patches to write now; none on a node that does not write.
    [[nodiscard]] Result<std::vector<StatusPatch>> due(RpcClient& podlaned);

  private:
    [[nodiscard]] Result<ServiceAddresses> addresses_now(RpcClient& podlaned) const;
    [[nodiscard]] Result<void> add_ingresses(RpcClient& podlaned,
                                             std::vector<StatusPatch>& patches) const;
    void add(const char* kind, const std::string& name, const std::set<std::string>& addresses,
             std::vector<StatusPatch>& patches) const;

    const Cluster& cluster_;
    const std::string node_, ingress_service_, ingress_class_;
    ServiceAddresses before_;  ///< that podlaned had at the last check
};

}  // namespace podlane::control
