#include "control/compile/compiler.h"

#include <utility>

namespace podlane::control {

namespace {

/// "namespace/name" in two.
NamespacedName pod_name_of(const std::string& text) {
    const size_t slash = text.find('/');
    return {text.substr(0, slash), text.substr(slash + 1)};
}

std::shared_ptr<const MappedPods> mapped_pods_of(const std::vector<PodPort>& ports) {
    auto mapped = std::make_shared<MappedPods>();
    for (const PodPort& port : ports) {
        if (port.host_ports.empty()) continue;
        const NamespacedName name = pod_name_of(port.name);
        Pod pod;
        pod.meta.name_space = name.name_space;
        pod.meta.name = name.name;
        pod.ips = port.addresses;
        pod.ports = port.host_ports;
        (*mapped)[name].push_back(std::move(pod));
    }
    return mapped;
}

/// Whether the changes affect what topologies are made of.
bool touches_topology(const ChangeSet& changes) {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind == Kind::kNode || change.key.kind == Kind::kServiceCidr)
                return true;
        }
    }
    return false;
}

/// Whether the changes include Pods with a port here: a Pod says what its port may send from.
bool touches_ports(const ChangeSet& changes, const std::vector<PodPort>& ports) {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            if (change.key.kind != Kind::kPod) continue;
            const std::string name = change.key.name_space + "/" + change.key.name;
            if (std::any_of(ports.begin(), ports.end(),
                            [&](const PodPort& port) { return port.name == name; })) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

AddressFamily default_family(const NodeConfig& config) noexcept {
    const auto& cidrs =
        !config.cluster.service_cidrs.empty() ? config.cluster.service_cidrs : config.pods.cidrs;
    return cidrs.empty() || cidrs.front().address.is_v4() ? AddressFamily::kIpv4
                                                          : AddressFamily::kIpv6;
}

Compiler::Compiler(const NodeConfig& config)
    : current_(make_empty_snapshot()),
      topology_(config),
      announcer_(config),
      names_(config),
      policies_(config.cluster.dns) {
    facts_.node = config.node;
    facts_.node_ports = config.cluster.node_ports;
    facts_.service_cidrs = config.cluster.service_cidrs;
    facts_.pod_cidrs = config.cluster.pod_cidrs;
    facts_.pod_cidrs.insert(facts_.pod_cidrs.end(), config.pods.cidrs.begin(),
                            config.pods.cidrs.end());
    for (const UplinkConfig& uplink : config.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            facts_.own_addresses.insert(own.address);
        }
    }
    facts_.pools = config.load_balancer.pools;
    facts_.default_family = default_family(config);
}

void Compiler::count_from(uint64_t generation) {
    auto empty = std::make_shared<Snapshot>(*current_);
    empty->generation = generation;
    current_ = std::move(empty);
}

Result<Compiled> Compiler::next(const ObjectStore& store, const Changes& changes) {
    ServiceDelta delta;
    if (changes.objects != nullptr) delta = services_.affected(*changes.objects);
    NodeFacts facts = facts_;
    const auto node = store.find<Node>({"", facts.node});
    facts.zone = node ? node->zone() : std::string_view();
    if (changes.topology != nullptr) {
        facts.local_pods.clear();
        for (const PodPort& pod : changes.topology->pods) {
            facts.local_pods.insert(pod.addresses.begin(), pod.addresses.end());
        }
        facts.mapped_pods = mapped_pods_of(changes.topology->pods);
        delta.merge(services_.affected(facts_, facts));
    }

    // Services first: only they can refuse a plan, and then nothing has changed.
    Compiled out;
    auto next = std::make_shared<Snapshot>(*current_);
    ++next->generation;
    if (!delta.empty()) {
        auto done = services_.update(delta, store, facts, *next, out.notices, changes.on_conflict);
        if (!done.ok()) return done.error();
    }
    const bool nodes = changes.objects != nullptr && touches_topology(*changes.objects);
    announcer_.update(delta.services, nodes, store, facts, *next);
    facts_ = std::move(facts);
    if (changes.objects != nullptr) {
        names_.update(names_.affected(*changes.objects, store), store, facts_.default_family);
    }
    next->dns = names_.zone();
    if (changes.topology != nullptr) input_ = *changes.topology;
    const bool sources = changes.objects != nullptr && touches_ports(*changes.objects, input_.pods);
    if (changes.topology != nullptr || is_first_ || nodes || sources) {
        topology_.compile(input_, store, *next, out.notices);
    }
    policies_.update(changes.objects, changes.topology != nullptr ? &input_.pods : nullptr, store,
                     *next);
    if (next->topology_epoch != current_->topology_epoch) ++next->isolated_epoch;
    current_ = next;
    is_first_ = false;
    out.snapshot = std::move(next);
    return out;
}

Result<std::vector<std::string>> Compiler::check(const ObjectStore& store, const ChangeSet& objects,
                                                 OnConflict on_conflict) const {
    std::vector<std::string> notices;
    auto checked =
        services_.check(services_.affected(objects), store, facts_, notices, on_conflict);
    if (!checked.ok()) return checked.error();
    return notices;
}

std::vector<RefusedObject> Compiler::refused() const {
    std::vector<RefusedObject> out = services_.refused();
    const std::vector<RefusedObject>& nodes = topology_.refused();
    out.insert(out.end(), nodes.begin(), nodes.end());
    return out;
}

}  // namespace podlane::control
