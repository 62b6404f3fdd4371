// Keeps the frontends of a Snapshot in step with Services, endpoints and host ports, one change at
// a time: the cost of a change depends on what it touches, not on the number of Services.
//
// The Compiler (compiler.h) calls it on the control thread, with a copy of the live snapshot to
// change. docs/decisions/frontends.md says which frontend wins if two claim the same address.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "control/compile/endpoints.h"
#include "control/compile/frontends.h"
#include "control/compile/refused.h"
#include "control/kube/store.h"
#include "lib/base/result.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// What has to be compiled again. Names that no longer exist are removed.
struct ServiceDelta {
    std::set<NamespacedName> services;
    std::set<NamespacedName> pods;  ///< for their host ports

    [[nodiscard]] bool empty() const noexcept { return services.empty() && pods.empty(); }
    void merge(ServiceDelta other) {
        services.merge(other.services);
        pods.merge(other.pods);
    }
};

/// What healthCheckNodePort reports about a Service: how many of its ready endpoints are on this
/// node, by family; none: the Service does not have the family.
struct HealthCheck {
    uint16_t port = 0;
    std::optional<uint32_t> local_v4, local_v6;
    friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};
using HealthChecks = std::map<NamespacedName, HealthCheck>;

/// A ServiceId in words.
struct ServicePortName {
    bool is_host_port = false;  ///< `name` is a Pod's then
    NamespacedName name;
    std::string port_name;
    Protocol protocol = Protocol::kTcp;
    friend auto operator<=>(const ServicePortName&, const ServicePortName&) = default;
};

/// The frontends of all Services and host ports, and who claims which address and port.
///
/// Invariants: after any sequence of updates the snapshot equals the result of one full() (except
/// ServiceIds, which are kept while their Service port exists); a refused update changes nothing,
/// neither here nor in `next`. Threads: one.
class ServiceCompiler {
  public:
    /// Which Services and Pods a change of objects touches.
    [[nodiscard]] ServiceDelta affected(const ChangeSet& changes) const;
    /// Which ones a change of NodeFacts::local_pods or mapped_pods touches.
    [[nodiscard]] ServiceDelta affected(const NodeFacts& before, const NodeFacts& after) const;
    /// All in `store`, and all that have something now.
    [[nodiscard]] ServiceDelta everything(const ObjectStore& store) const;

    /// Compiles `delta` into `next`, a copy of the snapshot that the last call made. An error says
    /// which two Services claim one clusterIP or nodePort (OnConflict::kRefuse; those who did so
    /// before do no harm).
    Result<void> update(const ServiceDelta& delta, const ObjectStore& store, const NodeFacts& facts,
                        Snapshot& next, std::vector<std::string>& notices,
                        OnConflict on_conflict = OnConflict::kRefuse);

    /// The same for everything().
    Result<void> full(const ObjectStore& store, const NodeFacts& facts, Snapshot& next,
                      std::vector<std::string>& notices);

    /// Whether update() would succeed, and its notices; changes nothing.
    [[nodiscard]] Result<void> check(const ServiceDelta& delta, const ObjectStore& store,
                                     const NodeFacts& facts, std::vector<std::string>& notices,
                                     OnConflict on_conflict = OnConflict::kRefuse) const;

    /// Services and Pods that have lost an address or port to another one, sorted.
    [[nodiscard]] std::vector<RefusedObject> refused() const;

    /// Null for an id that is not in use. Valid until the next update.
    [[nodiscard]] const ServicePortName* find(ServiceId id) const noexcept;
    /// All ids in use, by id.
    [[nodiscard]] const std::map<uint32_t, ServicePortName>& service_ports() const noexcept {
        return names_;
    }
    /// Where frontends other than ClusterIPs are served; zero stands for all node addresses.
    template <Family F>
    [[nodiscard]] const std::set<FrontendKey<F>>& external_keys() const noexcept {
        return external_.get<F>();
    }
    /// Rises when external_keys() changes.
    [[nodiscard]] uint64_t external_epoch() const noexcept { return external_epoch_; }
    /// Of all Services that have one.
    [[nodiscard]] const HealthChecks& health_checks() const noexcept { return health_checks_; }
    /// Rises when health_checks() changes.
    [[nodiscard]] uint64_t health_epoch() const noexcept { return health_epoch_; }

  private:
    /// Who has frontends. Services before Pods.
    struct Owner {
        bool is_pod = false;
        NamespacedName name;
        friend auto operator<=>(const Owner&, const Owner&) = default;
    };
    template <Family F>
    using FrontendPtr = std::shared_ptr<const Frontend<F>>;

    /// When an object was made, in the order of who comes first: one without a time comes last.
    struct Age {
        bool is_unknown = false;
        int64_t created = 0;
        friend auto operator<=>(const Age&, const Age&) = default;
    };
    /// One of the claimants of a key. The smallest one has it: ordered by kind of frontend, then by
    /// the owner's age.
    template <Family F>
    struct Claim {
        Owner owner;
        Age age;
        FrontendPtr<F> frontend;
        friend bool operator<(const Claim& a, const Claim& b) noexcept {
            return std::tie(a.frontend->kind, a.age, a.owner) <
                   std::tie(b.frontend->kind, b.age, b.owner);
        }
    };
    /// A Service that wants a clusterIP. The least has all of the address.
    struct Holder {
        Age age;
        NamespacedName name;
        friend auto operator<=>(const Holder&, const Holder&) = default;
    };
    template <Family F>
    struct Book {
        std::map<FrontendKey<F>, std::vector<Claim<F>>> claims;
        std::map<typename F::Address, std::set<Holder>> cluster_ips;
        /// Addresses that belong to one Service with all their ports: clusterIPs, load balancer
        /// addresses of the pools.
        std::map<typename F::Address, std::set<NamespacedName>> whole_ips;
        // Those of the above with more than one claimant.
        std::set<FrontendKey<F>> contested;
        std::set<typename F::Address> contested_ips;
    };
    /// What an owner has now.
    template <Family F>
    struct Owned {
        std::vector<FrontendPtr<F>> frontends;
        std::vector<typename F::Address> cluster_ips, whole_ips;
    };
    /// What an owner is to have; the frontends have no ServiceId yet.
    template <Family F>
    struct Planned {
        std::vector<Frontend<F>> frontends;
        std::vector<typename F::Address> cluster_ips;
        /// Addresses from the pools: no host has them, so ports that they do not serve are
        /// rejected, too.
        std::vector<typename F::Address> pool_ips;
    };
    template <template <class> class Part>
    struct BothFamilies {
        Part<V4> v4;
        Part<V6> v6;

        template <Family F>
        [[nodiscard]] auto& get() noexcept {
            if constexpr (std::same_as<F, V4>) {
                return v4;
            } else {
                return v6;
            }
        }
        template <Family F>
        [[nodiscard]] const auto& get() const noexcept {
            return const_cast<BothFamilies*>(this)->template get<F>();
        }
    };
    /// What else has to be looked at when it changes.
    struct Interests {
        std::vector<IpAddress> unplaced;  // of endpoints without a stated node
        std::optional<Labels> selector;   // the endpoints are the Pods that it matches
        bool by_zone = false;             // they depend on the zones of nodes
    };
    struct Record {
        BothFamilies<Owned> owned;
        Age age;
        ObjectPtr<Service> service;  // that it was made of; null for a Pod
        Interests interests;
        std::map<ServicePortName, ServiceId> ids;
    };
    struct Plan {
        Owner owner;
        Age age;
        Origin origin;
        ObjectPtr<Service> service;  // null for a Pod
        BothFamilies<Planned> planned;
        Interests interests;
        std::optional<HealthCheck> health;

        [[nodiscard]] bool is_empty() const noexcept;
    };

    // service_plan.cc
    [[nodiscard]] Result<std::vector<Plan>> plan(const ServiceDelta& delta,
                                                 const ObjectStore& store, const NodeFacts& facts,
                                                 std::vector<std::string>& notices,
                                                 OnConflict on_conflict) const;
    [[nodiscard]] Plan plan_service(const NamespacedName& name, const ObjectStore& store,
                                    const NodeFacts& facts,
                                    std::vector<std::string>& notices) const;
    [[nodiscard]] static Plan plan_pod(const NamespacedName& name, const ObjectStore& store,
                                       const NodeFacts& facts);
    template <Family F>
    static void plan_family(const Service& service, const ServiceCandidates& candidates,
                            const NodeFacts& facts, const Record* record, Plan& plan);

    // service_conflicts.cc
    template <Family F>
    [[nodiscard]] Result<void> check_claims(const std::vector<Plan>& plans,
                                            const ServiceDelta& delta) const;
    /// The claim that is served; null for none. A clusterIP's belongs to its holder alone.
    template <Family F>
    [[nodiscard]] const Claim<F>* winner_of(const FrontendKey<F>& key) const;
    /// Tracks who wants which clusterIP, and adds keys whose holder changes to those that must be
    /// settled.
    template <Family F>
    void hold_addresses(const Plan& plan, Record& record, std::set<FrontendKey<F>>& touched);
    template <Family F>
    void list_refused(std::vector<RefusedObject>& out) const;

    // services.cc
    void commit(const Plan& plan, Snapshot& next);
    template <Family F>
    void commit_family(const Plan& plan, Record& record, Snapshot& next);
    template <Family F>
    void mark_addresses(const Owner& owner, const std::vector<typename F::Address>& now,
                        std::vector<typename F::Address>& before, Snapshot& next);
    template <Family F>
    void settle(const FrontendKey<F>& key, Snapshot& next);
    template <Family F>
    void note_external(const FrontendKey<F>& key, const Frontend<F>* winner);
    void assign_ids(const Plan& plan, Record& record);
    [[nodiscard]] ServiceId take_id(const ServicePortName& name);
    void note_health(const Plan& plan);
    void index(const Owner& owner, const Interests& interests, bool add);
    template <Family F>
    void note_conflicts(const Owner& owner, std::vector<std::string>& notices) const;

    std::map<Owner, Record> records_;
    BothFamilies<Book> books_;
    std::map<uint32_t, ServicePortName> names_;  // by ServiceId
    std::deque<uint32_t> free_ids_;
    uint32_t next_id_ = 1;
    /// Services whose endpoints are the Pods that they select: by namespace and name.
    std::map<std::string, std::map<std::string, Labels>> from_pods_;
    std::map<IpAddress, std::set<Owner>> unplaced_;
    std::set<NamespacedName> by_zone_;  // Services; see Interests
    template <Family F>
    using Keys = std::set<FrontendKey<F>>;
    BothFamilies<Keys> external_;
    uint64_t external_epoch_ = 0;
    HealthChecks health_checks_;
    uint64_t health_epoch_ = 0;
};

/// Whether any container of the pod has a port on the node.
[[nodiscard]] bool has_host_port(const Pod& pod) noexcept;

}  // namespace podlane::control
