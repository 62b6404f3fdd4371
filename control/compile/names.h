// Keeps the cluster's names (lib/dns/zone.h) in step with Services and their endpoints, one change
// at a time.
//
// The Compiler (compiler.h) calls it on the control thread and puts the zone into the Snapshot.
// Which names there are is the Kubernetes DNS specification's, version 1.1.0; docs/dns.md has them.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/compile/endpoints.h"
#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/dns/zone.h"

namespace podlane::control {

/// Invariant: after any sequence of updates the zone holds what one update of everything in the
/// store would have made, its serial apart. Threads: one.
class NameCompiler {
  public:
    /// Without cluster.dns there is no zone, and these calls do nothing.
    explicit NameCompiler(const NodeConfig& config);

    /// The Services whose names a change may affect; `store` has the change already.
    [[nodiscard]] std::set<NamespacedName> affected(const ChangeSet& changes,
                                                    const ObjectStore& store) const;
    /// Makes the next zone, if any name changed.
    void update(const std::set<NamespacedName>& services, const ObjectStore& store,
                AddressFamily default_family);

    /// Null without cluster.dns.
    [[nodiscard]] const std::shared_ptr<const DnsZone>& zone() const noexcept { return zone_; }

  private:
    struct Record {
        std::shared_ptr<const DnsService> service;  // null: it has no names
        /// Its endpoints are the Pods that this selects.
        std::optional<Labels> selector;
    };

    void replace(const NamespacedName& name, const std::shared_ptr<const DnsService>& before,
                 const std::shared_ptr<const DnsService>& now, DnsZone& zone) const;

    std::string domain_;  // wire form
    std::shared_ptr<const DnsZone> zone_;
    std::map<NamespacedName, Record> records_;
    /// Services with a selector in their record, by namespace.
    std::map<std::string, std::set<std::string>> from_pods_;
};

/// The names of one Service; null where it has none. `selector` is set when its endpoints are the
/// Pods that it selects.
[[nodiscard]] std::shared_ptr<const DnsService> dns_service_of(const Service& service,
                                                               const ObjectStore& store,
                                                               AddressFamily default_family,
                                                               std::optional<Labels>& selector);

}  // namespace podlane::control
