// The read-only half of ServiceCompiler: what a change affects, what its owners are to have, and
// whether that is possible.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/compile/services.h"

namespace podlane::control {

namespace {

template <class T, class Visit>
void for_each_version(const ChangeSet& changes, Visit visit) {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind != T::kKind) continue;
            for (const auto* object : {&change.before, &change.after}) {
                if (*object) visit(*std::get<ObjectPtr<T>>(**object));
            }
        }
    }
}

std::string_view zone_of(const std::optional<Object>& node) {
    return node ? std::get<ObjectPtr<Node>>(*node)->zone() : std::string_view();
}

/// Whether the changes move a node to another zone.
bool moves_nodes(const ChangeSet& changes) {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind == Kind::kNode && zone_of(change.before) != zone_of(change.after)) {
                return true;
            }
        }
    }
    return false;
}

std::string where(const Origin& origin) {
    if (origin.document.empty()) return {};
    return fmt::format("{}:{}: ", origin.document, origin.line);
}

/// Counts as kube-proxy does for healthCheckNodePort: addresses, not ports.
uint32_t local_ready(const ServiceCandidates& candidates, bool v4) {
    std::set<IpAddress> addresses;
    for (const auto& port : candidates.by_port) {
        for (const EndpointCandidate& each : port) {
            if (each.local && each.ready && each.address.is_v4() == v4) {
                addresses.insert(each.address);
            }
        }
    }
    return static_cast<uint32_t>(addresses.size());
}

/// The pod that has the address; "" if there is none.
std::string pod_with(const IpAddress& address, const ObjectStore& store) {
    for (const auto& [name, pod] : store.all<Pod>()) {
        const bool is_its = !pod->host_network && !pod->is_finished() &&
                            std::ranges::find(pod->ips, address) != pod->ips.end();
        if (is_its) return to_string(name);
    }
    return {};
}

/// The Node that has the address; "" if there is none.
std::string node_with(const IpAddress& address, const ObjectStore& store) {
    for (const auto& [name, node] : store.all<Node>()) {
        if (std::ranges::find(node->internal_ips, address) != node->internal_ips.end()) {
            return name.name;
        }
    }
    return {};
}

bool is_in(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
    return std::ranges::any_of(prefixes, [&](const IpPrefix& p) { return p.contains(address); });
}

bool is_of_service_cidr(const IpAddress& address, const ObjectStore& store) {
    return std::ranges::any_of(store.all<ServiceCidr>(), [&](const auto& entry) {
        return is_in(entry.second->cidrs, address);
    });
}

/// Notes what an API server would have refused, or what its user may not have meant. It is served.
void note_oddities(const Service& service, const ObjectStore& store, const NodeFacts& facts,
                   std::vector<std::string>& notices) {
    const auto note = [&](const std::string& text) {
        notices.push_back(fmt::format("{}Service {}: {}", where(service.meta.origin),
                                      to_string(service.meta.namespaced_name()), text));
    };
    for (const IpAddress& address : service.cluster_ips) {
        if (facts.own_addresses.contains(address)) {
            note(
                fmt::format("clusterIP {} is this node's own address too; at its ports the Service "
                            "is reached, at "
                            "others the node",
                            to_string(address)));
        } else if (is_in(facts.pod_cidrs, address) || facts.local_pods.contains(address)) {
            const std::string pod = pod_with(address, store);
            note(pod.empty()
                     ? fmt::format("clusterIP {} is inside the pods' CIDRs; a pod that gets "
                                   "it will not be reached",
                                   to_string(address))
                     : fmt::format("clusterIP {} is the address of Pod {} too, which is not "
                                   "reached by it any more",
                                   to_string(address), pod));
        } else if (!facts.service_cidrs.empty() && !is_in(facts.service_cidrs, address) &&
                   !is_of_service_cidr(address, store)) {
            const std::string node = node_with(address, store);
            note(node.empty()
                     ? fmt::format("clusterIP {} is outside cluster.serviceCidrs and every "
                                   "ServiceCIDR; it is served",
                                   to_string(address))
                     : fmt::format("clusterIP {} is the address of Node {} too, which is not "
                                   "reached by it any more",
                                   to_string(address), node));
        }
    }
    if (service.cluster_ips.empty()) {
        note(
            "no clusterIP, which an API server would have given it; pods reach it by none (a "
            "headless Service says clusterIP: None)");
    }
    for (const ServicePort& port : service.ports) {
        if (port.node_port != 0 && !facts.node_ports.contains(port.node_port)) {
            note(fmt::format("nodePort {} is outside cluster.nodePorts ({}-{}); it is served",
                             port.node_port, facts.node_ports.first, facts.node_ports.last));
        }
        if (port.node_port == 0 && service.type == ServiceType::kNodePort) {
            note(fmt::format("port {} has no nodePort and is not served as one", port.port));
        }
    }
}

bool has_node_port(const Service& service, uint16_t port) {
    return std::ranges::any_of(service.ports, [port](const ServicePort& each) {
        return each.node_port == port && each.protocol == Protocol::kTcp;
    });
}

/// Only one Service may have a given healthCheckNodePort; an API server enforces that.
void note_shared_health_port(const Service& service, const ObjectStore& store,
                             std::vector<std::string>& notices) {
    const uint16_t port = service.health_check_node_port;
    const auto note = [&](const char* what, const NamespacedName& other) {
        notices.push_back(fmt::format(
            "{}Service {}: healthCheckNodePort {} is {} of Service {} too; only one of them is "
            "answered for",
            where(service.meta.origin), to_string(service.meta.namespaced_name()), port, what,
            to_string(other)));
    };
    for (const auto& [name, other] : store.all<Service>()) {
        const bool is_itself = name == service.meta.namespaced_name();
        if (!is_itself && other->health_check_node_port == port) note("the one", name);
        if (has_node_port(*other, port)) note("a nodePort", name);
    }
}

}  // namespace

bool has_host_port(const Pod& pod) noexcept {
    return std::any_of(pod.ports.begin(), pod.ports.end(),
                       [](const ContainerPort& port) { return port.host_port != 0; });
}

ServiceDelta ServiceCompiler::affected(const ChangeSet& changes) const {
    ServiceDelta delta;
    for_each_version<Service>(changes, [&](const Service& service) {
        delta.services.insert(service.meta.namespaced_name());
    });
    for_each_version<EndpointSlice>(changes, [&](const EndpointSlice& slice) {
        if (!slice.service.empty()) {
            delta.services.insert({slice.meta.name_space, slice.service});
        }
    });
    for_each_version<Endpoints>(changes, [&](const Endpoints& endpoints) {
        delta.services.insert(endpoints.meta.namespaced_name());
    });
    if (moves_nodes(changes)) delta.services.insert(by_zone_.begin(), by_zone_.end());
    for_each_version<Pod>(changes, [&](const Pod& pod) {
        const NamespacedName name = pod.meta.namespaced_name();
        if (has_host_port(pod)) delta.pods.insert(name);
        const auto at = from_pods_.find(name.name_space);
        if (at == from_pods_.end()) return;
        for (const auto& [service, selector] : at->second) {
            if (contains_labels(pod.meta.labels, selector)) {
                delta.services.insert({name.name_space, service});
            }
        }
    });
    return delta;
}

ServiceDelta ServiceCompiler::affected(const NodeFacts& before, const NodeFacts& after) const {
    ServiceDelta delta;
    const auto add_missing = [&](const NodeFacts& from, const NodeFacts& in) {
        for (const IpAddress& address : from.local_pods) {
            if (in.local_pods.contains(address)) continue;
            const auto at = unplaced_.find(address);
            if (at == unplaced_.end()) continue;
            for (const Owner& owner : at->second) {
                (owner.is_pod ? delta.pods : delta.services).insert(owner.name);
            }
        }
    };
    add_missing(before, after);
    add_missing(after, before);
    const auto add_changed = [&](const MappedPods& from, const MappedPods& in) {
        for (const auto& [name, pods] : from) {
            const auto at = in.find(name);
            if (at == in.end() || at->second != pods) delta.pods.insert(name);
        }
    };
    add_changed(*before.mapped_pods, *after.mapped_pods);
    add_changed(*after.mapped_pods, *before.mapped_pods);
    return delta;
}

bool ServiceCompiler::Plan::is_empty() const noexcept {
    return planned.v4.frontends.empty() && planned.v6.frontends.empty() &&
           planned.v4.cluster_ips.empty() && planned.v6.cluster_ips.empty() &&
           interests.unplaced.empty() && !interests.selector && !interests.by_zone && !health;
}

template <Family F>
void ServiceCompiler::plan_family(const Service& service, const ServiceCandidates& candidates,
                                  const NodeFacts& facts, const Record* record, Plan& plan) {
    Planned<F>& out = plan.planned.get<F>();
    // An unchanged set is shared with the frontend that has it, so that its table is not rebuilt,
    // which is most of the work.
    const auto make_set = [&](std::vector<Endpoint<F>> endpoints) {
        if (record != nullptr) {
            for (const auto& frontend : record->owned.get<F>().frontends) {
                for (const auto& set : {frontend->inside, frontend->outside}) {
                    if (set->endpoints == endpoints) return set;
                }
            }
        }
        return make_endpoint_set<F>(std::move(endpoints));
    };
    for (size_t i = 0; i < service.ports.size(); ++i) {
        EndpointChoice<F> choice = choose_endpoints<F>(candidates.by_port[i]);
        PortEndpoints<F> endpoints;
        const bool all_local = choice.local == choice.cluster;
        endpoints.cluster = make_set(std::move(choice.cluster));
        // A frontend for local endpoints alone does not include the cluster's endpoints.
        if (service.ports[i].protocol == Protocol::kUdp &&
            (uses_local_endpoints(service) || choice.serving != endpoints.cluster->endpoints)) {
            endpoints.serving =
                std::make_shared<const std::vector<Endpoint<F>>>(std::move(choice.serving));
        }
        if (uses_local_endpoints(service)) {
            endpoints.local = all_local ? endpoints.cluster : make_set(std::move(choice.local));
        }
        for (Frontend<F>& frontend : service_frontends<F>(service, service.ports[i], endpoints)) {
            out.frontends.push_back(std::move(frontend));
        }
    }
    for (const IpAddress& address : service.cluster_ips) {
        if (address.is<F>()) out.cluster_ips.push_back(address.as<F>());
    }
    for (const LoadBalancerIngress& ingress : service.load_balancer) {
        if (service.type != ServiceType::kLoadBalancer || ingress.is_proxy || !ingress.ip) continue;
        const bool is_pools =
            std::any_of(facts.pools.begin(), facts.pools.end(),
                        [&](const AddressRange& pool) { return pool.contains(*ingress.ip); });
        if (is_pools && ingress.ip->is<F>()) out.pool_ips.push_back(ingress.ip->as<F>());
    }
}

ServiceCompiler::Plan ServiceCompiler::plan_service(const NamespacedName& name,
                                                    const ObjectStore& store,
                                                    const NodeFacts& facts,
                                                    std::vector<std::string>& notices) const {
    Plan plan;
    plan.owner = {false, name};
    const auto service = store.find<Service>(name);
    if (!service || is_unserved(*service)) return plan;
    plan.origin = service->meta.origin;
    plan.age = {service->meta.created == 0, service->meta.created};
    ServiceCandidates candidates = gather_candidates(*service, store, facts);
    const auto at = records_.find(plan.owner);
    const Record* record = at != records_.end() ? &at->second : nullptr;
    if (service->health_check_node_port != 0)
        plan.health = {service->health_check_node_port, {}, {}};
    if (has_family(*service, AddressFamily::kIpv4, facts.default_family)) {
        plan_family<V4>(*service, candidates, facts, record, plan);
        if (plan.health) plan.health->local_v4 = local_ready(candidates, true);
    }
    if (has_family(*service, AddressFamily::kIpv6, facts.default_family)) {
        plan_family<V6>(*service, candidates, facts, record, plan);
        if (plan.health) plan.health->local_v6 = local_ready(candidates, false);
    }
    plan.interests.unplaced = std::move(candidates.unplaced);
    plan.interests.by_zone = candidates.by_zone;
    if (candidates.source == EndpointSource::kPods) plan.interests.selector = service->selector;

    plan.service = service;
    // Once for each version of the Service, not at each change of its endpoints.
    if (record == nullptr || record->service != service) {
        note_oddities(*service, store, facts, notices);
        if (plan.health) note_shared_health_port(*service, store, notices);
    }
    return plan;
}

/// Adds the host ports of `pod` that `frontends` does not have yet.
template <Family F>
void add_host_ports(const Pod& pod, std::vector<Frontend<F>>& frontends) {
    for (Frontend<F>& frontend : host_port_frontends<F>(pod)) {
        const auto is_same = [&](const Frontend<F>& other) {
            return key_of(other) == key_of(frontend);
        };
        if (std::none_of(frontends.begin(), frontends.end(), is_same)) {
            frontends.push_back(std::move(frontend));
        }
    }
}

ServiceCompiler::Plan ServiceCompiler::plan_pod(const NamespacedName& name,
                                                const ObjectStore& store, const NodeFacts& facts) {
    Plan plan;
    plan.owner = {true, name};
    plan.age = {true, 0};
    const auto add = [&](const Pod& pod) {
        add_host_ports(pod, plan.planned.v4.frontends);
        add_host_ports(pod, plan.planned.v6.frontends);
    };
    // The runtime's host ports first. The runtime asks for most of what the Pod object says, and
    // knows the address of the current sandbox; the object may still have the previous sandbox's
    // address.
    if (const auto mapped = facts.mapped_pods->find(name); mapped != facts.mapped_pods->end()) {
        for (const Pod& each : mapped->second) add(each);
    }
    const auto pod = store.find<Pod>(name);
    if (!pod || !has_host_port(*pod)) return plan;
    plan.origin = pod->meta.origin;
    plan.age = {pod->meta.created == 0, pod->meta.created};
    bool local = pod->node_name == facts.node;
    if (pod->node_name.empty()) {
        plan.interests.unplaced = pod->ips;
        local = std::any_of(pod->ips.begin(), pod->ips.end(), [&](const IpAddress& address) {
            return facts.local_pods.contains(address);
        });
    }
    if (local) add(*pod);
    return plan;
}

Result<std::vector<ServiceCompiler::Plan>> ServiceCompiler::plan(const ServiceDelta& delta,
                                                                 const ObjectStore& store,
                                                                 const NodeFacts& facts,
                                                                 std::vector<std::string>& notices,
                                                                 OnConflict on_conflict) const {
    std::vector<Plan> plans;
    plans.reserve(delta.services.size() + delta.pods.size());
    for (const NamespacedName& name : delta.services) {
        plans.push_back(plan_service(name, store, facts, notices));
    }
    for (const NamespacedName& name : delta.pods) plans.push_back(plan_pod(name, store, facts));
    if (on_conflict == OnConflict::kOlder) return plans;
    if (auto checked = check_claims<V4>(plans, delta); !checked.ok()) return checked.error();
    if (auto checked = check_claims<V6>(plans, delta); !checked.ok()) return checked.error();
    return plans;
}

}  // namespace podlane::control
