#include "control/compile/announcer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "control/compile/frontends.h"
#include "lib/base/stable_hash.h"

namespace podlane::control {

namespace {

/// The Node label that excludes a node from load balancing (KEP-1143).
constexpr std::string_view kExcluded = "node.kubernetes.io/exclude-from-external-load-balancers";

uint64_t hash_of(const IpAddress& address) noexcept {
    const auto hash = [](const auto& value) {
        return stable_hash(std::span(reinterpret_cast<const uint8_t*>(&value), sizeof(value)));
    };
    return address.is_v4() ? hash(address.as<V4>()) : hash(address.as<V6>());
}

/// A Service's addresses from the pools that clients are to use and that no other controller
/// announces.
std::vector<IpAddress> pool_addresses(const NodeConfig& config, const Service& service) {
    std::vector<IpAddress> out;
    if (service.type != ServiceType::kLoadBalancer || !service.load_balancer_class.empty() ||
        is_unserved(service)) {
        return out;
    }
    for (const LoadBalancerIngress& ingress : service.load_balancer) {
        if (!ingress.ip || ingress.is_proxy) continue;
        if (config.load_balancer.contains(*ingress.ip)) out.push_back(*ingress.ip);
    }
    return out;
}

/// The node whose pod CIDR contains the address; "" if there is none.
std::string node_of(const IpAddress& address, const ObjectStore& store) {
    for (const auto& [name, node] : store.all<Node>()) {
        for (const IpPrefix& cidr : node->pod_cidrs) {
            if (cidr.contains(address)) return node->meta.name;
        }
    }
    return {};
}

bool has(const std::vector<std::string>& sorted, const std::string& word) {
    return std::binary_search(sorted.begin(), sorted.end(), word);
}

template <Family F>
void install(const std::map<IpAddress, AnnouncedAddress>& addresses, FamilyState<F>& state) {
    std::vector<typename F::Address> here;
    for (const auto& [address, announced] : addresses) {
        if (announced.is_here && address.template is<F>()) here.push_back(address.template as<F>());
    }
    if (here.empty()) {
        state.announced = nullptr;
    } else if (state.announced == nullptr || *state.announced != here) {
        state.announced = std::make_shared<const std::vector<typename F::Address>>(std::move(here));
    }
}

}  // namespace

std::string_view rendezvous(const std::vector<std::string>& candidates,
                            const IpAddress& address) noexcept {
    const uint64_t seed = hash_of(address);
    std::string_view best;
    uint64_t most = 0;
    for (const std::string& candidate : candidates) {
        const uint64_t weight = stable_hash(candidate, seed);
        if (!best.empty() && weight <= most) continue;
        best = candidate;
        most = weight;
    }
    return best;
}

std::vector<std::string> nodes_with_endpoints(const Service& service, const ObjectStore& store,
                                              const NodeFacts& facts, bool is_v4) {
    std::set<std::string> ready;
    std::set<std::string> serving;
    for (const auto& candidates : gather_candidates(service, store, facts).by_port) {
        for (const EndpointCandidate& candidate : candidates) {
            if (candidate.address.is_v4() != is_v4) continue;
            if (!candidate.ready && !(candidate.serving && candidate.terminating)) continue;
            std::string node =
                candidate.node.empty() ? node_of(candidate.address, store) : candidate.node;
            if (!node.empty()) (candidate.ready ? ready : serving).insert(std::move(node));
        }
    }
    const auto& nodes = ready.empty() ? serving : ready;
    return {nodes.begin(), nodes.end()};
}

void Announcer::update(const std::set<NamespacedName>& services, bool nodes,
                       const ObjectStore& store, const NodeFacts& facts, Snapshot& next) {
    if (config_.load_balancer.pools.empty()) return;
    const uint64_t before = version_;
    const bool others = (nodes || ready_->empty()) && follow_nodes(store);
    for (const NamespacedName& name : services) follow_service(name, store, facts);
    if (others) {
        for (const auto& [address, claims] : claims_) settle(address, store, facts);
    }
    if (version_ == before) return;
    install<V4>(addresses_, next.v4);
    install<V6>(addresses_, next.v6);
}

bool Announcer::follow_nodes(const ObjectStore& store) {
    std::vector<std::string> ready;
    std::vector<std::string> all;
    for (const auto& [name, node] : store.all<Node>()) {
        if (node->meta.labels.contains(kExcluded)) continue;
        all.push_back(node->meta.name);
        if (node->ready) ready.push_back(node->meta.name);
    }
    // A node that knows of no Nodes is on its own.
    if (store.all<Node>().empty()) all = {config_.node};
    if (ready.empty()) ready = std::move(all);
    if (ready == *ready_) return false;
    ready_ = std::make_shared<const std::vector<std::string>>(std::move(ready));
    return true;
}

void Announcer::follow_service(const NamespacedName& name, const ObjectStore& store,
                               const NodeFacts& facts) {
    const auto service = store.find<Service>(name);
    std::vector<IpAddress> now;
    if (service) now = pool_addresses(config_, *service);
    std::vector<IpAddress> touched = now;
    if (const auto at = by_service_.find(name); at != by_service_.end()) {
        for (const IpAddress& address : at->second) {
            claims_[address].erase(name);
            touched.push_back(address);
        }
        by_service_.erase(at);
    }
    for (const IpAddress& address : now) claims_[address].insert(name);
    if (!now.empty()) by_service_.emplace(name, std::move(now));
    for (const IpAddress& address : touched) settle(address, store, facts);
}

void Announcer::settle(const IpAddress& address, const ObjectStore& store, const NodeFacts& facts) {
    const auto claims = claims_.find(address);
    if (claims == claims_.end() || claims->second.empty()) {
        if (claims != claims_.end()) claims_.erase(claims);
        version_ += addresses_.erase(address);
        return;
    }
    // An address given to several Services is served for the first, as their frontends are.
    const NamespacedName& name = *claims->second.begin();
    const auto service = store.find<Service>(name);
    AnnouncedAddress out;
    out.service = name;
    out.candidates = candidates_of(*service, store, facts, address.is_v4());
    out.node = rendezvous(*out.candidates, address);
    out.can_be = has(*out.candidates, config_.node);
    out.is_here = out.node == config_.node;
    AnnouncedAddress& known = addresses_[address];
    const auto what = [](const AnnouncedAddress& each) {
        return std::tie(each.service, each.node, each.can_be, each.is_here);
    };
    if (what(known) != what(out)) ++version_;
    known = std::move(out);
}

std::shared_ptr<const std::vector<std::string>> Announcer::candidates_of(const Service& service,
                                                                         const ObjectStore& store,
                                                                         const NodeFacts& facts,
                                                                         bool is_v4) const {
    if (service.external_policy != TrafficPolicy::kLocal) return ready_;
    std::vector<std::string> here;
    for (std::string& node : nodes_with_endpoints(service, store, facts, is_v4)) {
        if (has(*ready_, node)) here.push_back(std::move(node));
    }
    return std::make_shared<const std::vector<std::string>>(std::move(here));
}

}  // namespace podlane::control
