// Keeps the frontends of a Snapshot in step with Services, endpoints and host ports, one change at
// a time: what a change costs depends on what it touches, not on how many Services there are.
//
// The Compiler (compiler.h) calls it on the control thread, with a copy of the live snapshot to
// change. docs/decisions/frontends.md says which frontend wins where two claim one address.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/compile/endpoints.h"
#include "control/compile/frontends.h"
#include "control/kube/store.h"
#include "lib/base/result.h"
#include "lib/state/snapshot.h"

namespace podlane::control {

/// What has to be compiled anew. Names that no longer exist are removed.
struct ServiceDelta {
    std::set<NamespacedName> services;
    std::set<NamespacedName> pods;  ///< for their host ports

    [[nodiscard]] bool empty() const noexcept { return services.empty() && pods.empty(); }
};

/// A ServiceId in words.
struct ServicePortName {
    bool is_host_port = false;  ///< `name` is a Pod's then
    NamespacedName name;
    std::string port_name;
    Protocol protocol = Protocol::kTcp;
    friend auto operator<=>(const ServicePortName&, const ServicePortName&) = default;
};

/// The frontends of all Services and host ports, and who claims what.
///
/// Invariants: after any sequence of updates the snapshot holds what one full() would have made
/// (ServiceIds apart, which are kept while their Service port exists); a refused update changed
/// nothing, neither here nor in `next`. Threads: one.
class ServiceCompiler {
  public:
    /// Which Services and Pods a change of objects touches. `changes` must be committed to `store`.
    [[nodiscard]] ServiceDelta affected(const ChangeSet& changes, const ObjectStore& store) const;
    /// Which Services a change of NodeFacts::local_pods touches.
    [[nodiscard]] ServiceDelta affected(const NodeFacts& before, const NodeFacts& after,
                                        const ObjectStore& store) const;

    /// Compiles `delta` into `next`, a copy of the snapshot that the last call made. An error says
    /// which two Services claim one clusterIP or nodePort.
    Result<void> update(const ServiceDelta& delta, const ObjectStore& store, const NodeFacts& facts,
                        Snapshot& next, std::vector<std::string>& notices);

    /// Compiles everything in the store, and removes what is no longer there.
    Result<void> full(const ObjectStore& store, const NodeFacts& facts, Snapshot& next,
                      std::vector<std::string>& notices);

    /// Whether update() would succeed; changes nothing. Notices as update() would give them.
    [[nodiscard]] Result<void> check(const ServiceDelta& delta, const ObjectStore& store,
                                     const NodeFacts& facts,
                                     std::vector<std::string>& notices) const;

    /// Every name that has a frontend now, and every Service and Pod of `store`.
    [[nodiscard]] ServiceDelta everything(const ObjectStore& store) const;

    /// Null for an id that is not in use. Valid until the next update.
    [[nodiscard]] const ServicePortName* find(ServiceId id) const noexcept;
    /// All ids in use, by id.
    [[nodiscard]] const std::map<uint32_t, ServicePortName>& service_ports() const noexcept {
        return names_;
    }

  private:
    /// Who has frontends. Services before Pods.
    struct Owner {
        bool is_pod = false;
        NamespacedName name;
        friend auto operator<=>(const Owner&, const Owner&) = default;
    };
    template <Family F>
    using FrontendPtr = std::shared_ptr<const Frontend<F>>;
    /// One of those who want a key; the least claim has it.
    template <Family F>
    struct Claim {
        Owner owner;
        FrontendPtr<F> frontend;
    };
    /// What one family's frontends are, beyond what the table tells.
    template <Family F>
    struct Book {
        std::map<FrontendKey<F>, std::vector<Claim<F>>> claims;
        std::map<typename F::Address, std::set<NamespacedName>> cluster_ips;
    };
    template <Family F>
    struct OwnedFrontends {
        std::vector<FrontendPtr<F>> frontends;
        std::vector<typename F::Address> cluster_ips;
    };
    /// What an owner has now.
    struct Record {
        OwnedFrontends<V4> v4;
        OwnedFrontends<V6> v6;
        std::map<ServicePortName, ServiceId> ids;
        std::vector<IpAddress> unplaced;
        bool from_pods = false;
    };
    template <Family F>
    struct PlannedFrontends {
        std::vector<Frontend<F>> frontends;  // without ServiceId
        std::vector<typename F::Address> cluster_ips;
    };
    /// What an owner is to have.
    struct Plan {
        Owner owner;
        PlannedFrontends<V4> v4;
        PlannedFrontends<V6> v6;
        std::vector<IpAddress> unplaced;
        bool from_pods = false;
        Origin origin;
    };

    [[nodiscard]] Plan plan_service(const NamespacedName& name, const ObjectStore& store,
                                    const NodeFacts& facts,
                                    std::vector<std::string>& notices) const;
    [[nodiscard]] Plan plan_pod(const NamespacedName& name, const ObjectStore& store,
                                const NodeFacts& facts) const;
    [[nodiscard]] Result<std::vector<Plan>> plan(const ServiceDelta& delta,
                                                 const ObjectStore& store, const NodeFacts& facts,
                                                 std::vector<std::string>& notices) const;
    template <Family F>
    void plan_family(const Service& service, const ServiceCandidates& candidates,
                     const Record* record, PlannedFrontends<F>& out) const;
    template <Family F>
    [[nodiscard]] Result<void> check_claims(const std::vector<Plan>& plans,
                                            const ServiceDelta& delta) const;
    void commit(const Plan& plan, Snapshot& next, std::vector<std::string>& notices);
    template <Family F>
    void commit_family(const Owner& owner, const PlannedFrontends<F>& planned, Record& record,
                       Snapshot& next, std::vector<std::string>& notices);
    template <Family F>
    void settle(const FrontendKey<F>& key, Snapshot& next);
    void keep_ids(const Plan& plan, Record& record);
    ServiceId take_id(const ServicePortName& name);
    void index(const Owner& owner, const Record& record, bool add);

    template <Family F>
    [[nodiscard]] Book<F>& book() noexcept;
    template <Family F>
    [[nodiscard]] const Book<F>& book() const noexcept;

    std::map<Owner, Record> records_;
    Book<V4> v4_;
    Book<V6> v6_;
    std::map<uint32_t, ServicePortName> names_;
    std::deque<uint32_t> free_ids_;
    uint32_t next_id_ = 1;
    /// Services whose endpoints are the Pods that they select, by namespace.
    std::map<std::string, std::set<std::string>, std::less<>> from_pods_;
    std::map<IpAddress, std::set<Owner>> unplaced_;
};

}  // namespace podlane::control
