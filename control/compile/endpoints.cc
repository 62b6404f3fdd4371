#include "control/compile/endpoints.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "lib/base/stable_hash.h"

namespace podlane::control {

namespace {

template <class T>
std::span<const uint8_t> raw_bytes(const T& value) noexcept {
    return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

/// A better condition gives a greater number.
int rank(const EndpointCandidate& candidate) noexcept {
    if (candidate.ready) return 2;
    return candidate.serving && candidate.terminating ? 1 : 0;
}

Hint hint_for(const std::vector<std::string>& meant_for, const std::string& here) {
    if (meant_for.empty()) return Hint::kNone;
    return std::find(meant_for.begin(), meant_for.end(), here) != meant_for.end()
               ? Hint::kHere
               : Hint::kElsewhere;
}

/// Collects candidates, one list for each Service port.
class Gatherer {
  public:
    Gatherer(const Service& service, const ObjectStore& store, const NodeFacts& facts)
        : service_(service), store_(store), facts_(facts) {
        out_.by_port.resize(service.ports.size());
    }

    void add(size_t port_index, const SliceEndpoint& endpoint, uint16_t port) {
        EndpointCandidate candidate;
        candidate.address = endpoint.address;
        candidate.port = port;
        candidate.ready = endpoint.ready || service_.publish_not_ready;
        candidate.serving = endpoint.serving;
        candidate.terminating = endpoint.terminating;
        candidate.local = is_local(endpoint.node_name, endpoint.address);
        candidate.zone_hint = hint_for(endpoint.hint_zones, facts_.zone);
        candidate.node_hint = hint_for(endpoint.hint_nodes, facts_.node);
        candidate.node = endpoint.node_name;
        out_.by_zone = out_.by_zone || !endpoint.hint_zones.empty();
        out_.by_port[port_index].push_back(std::move(candidate));
    }

    /// Adds each endpoint with each of `ports` that belongs to the Service, by name and protocol.
    void add_product(const std::vector<SliceEndpoint>& endpoints,
                     const std::vector<EndpointPort>& ports) {
        for (size_t i = 0; i < service_.ports.size(); ++i) {
            const ServicePort& wanted = service_.ports[i];
            for (const EndpointPort& port : ports) {
                if (port.name != wanted.name || port.protocol != wanted.protocol || !port.port)
                    continue;
                for (const SliceEndpoint& endpoint : endpoints) add(i, endpoint, *port.port);
            }
        }
    }

    void add_pod(const Pod& pod) {
        // As in the EndpointSlice controller: a terminating pod is not ready, but may still serve.
        SliceEndpoint endpoint;
        endpoint.ready = pod.ready && !pod.terminating;
        endpoint.serving = pod.ready;
        endpoint.terminating = pod.terminating;
        endpoint.node_name = pod.node_name;
        add_hints(endpoint);
        for (size_t i = 0; i < service_.ports.size(); ++i) {
            const ServicePort& wanted = service_.ports[i];
            const uint16_t port = pod.resolve_port(wanted.target_port, wanted.protocol);
            if (port == 0) continue;
            for (const IpAddress& address : pod.ips) {
                endpoint.address = address;
                add(i, endpoint, port);
            }
        }
    }

    ServiceCandidates finish(EndpointSource source) {
        out_.source = source;
        for (auto& candidates : out_.by_port) remove_duplicates(candidates);
        std::sort(out_.unplaced.begin(), out_.unplaced.end());
        out_.unplaced.erase(std::unique(out_.unplaced.begin(), out_.unplaced.end()),
                            out_.unplaced.end());
        return std::move(out_);
    }

  private:
    /// The hints that the EndpointSlice controller gives for spec.trafficDistribution.
    void add_hints(SliceEndpoint& endpoint) {
        if (service_.traffic_distribution == TrafficDistribution::kNone) return;
        out_.by_zone = true;
        const auto node = store_.find<Node>({"", endpoint.node_name});
        if (node && !node->zone().empty()) endpoint.hint_zones = {std::string(node->zone())};
        if (service_.traffic_distribution != TrafficDistribution::kPreferSameNode) return;
        if (!endpoint.node_name.empty()) endpoint.hint_nodes = {endpoint.node_name};
    }

    bool is_local(const std::string& node, const IpAddress& address) {
        if (!node.empty()) return node == facts_.node;
        out_.unplaced.push_back(address);
        return facts_.local_pods.contains(address);
    }

    static void remove_duplicates(std::vector<EndpointCandidate>& candidates) {
        std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
            return std::tuple(a.address, a.port, -rank(a)) <
                   std::tuple(b.address, b.port, -rank(b));
        });
        std::vector<EndpointCandidate> kept;
        for (EndpointCandidate& candidate : candidates) {
            if (!kept.empty() && kept.back().address == candidate.address &&
                kept.back().port == candidate.port) {
                kept.back().local = kept.back().local || candidate.local;
            } else {
                kept.push_back(std::move(candidate));
            }
        }
        candidates = std::move(kept);
    }

    const Service& service_;
    const ObjectStore& store_;
    const NodeFacts& facts_;
    ServiceCandidates out_;
};

}  // namespace

size_t IpAddressHash::operator()(const IpAddress& address) const noexcept {
    return static_cast<size_t>(address.is_v4() ? fnv1a(raw_bytes(address.as<V4>()))
                                               : fnv1a(raw_bytes(address.as<V6>())));
}

ServiceCandidates gather_candidates(const Service& service, const ObjectStore& store,
                                    const NodeFacts& facts) {
    const NamespacedName name = service.meta.namespaced_name();
    Gatherer gatherer(service, store, facts);
    const auto& slices = store.slices_of(name);
    if (!slices.empty()) {
        for (const auto& slice : slices) gatherer.add_product(slice->endpoints, slice->ports);
        return gatherer.finish(EndpointSource::kSlices);
    }
    if (const auto endpoints = store.find<Endpoints>(name)) {
        for (const EndpointSubset& subset : endpoints->subsets) {
            gatherer.add_product(subset.endpoints, subset.ports);
        }
        return gatherer.finish(EndpointSource::kEndpoints);
    }
    if (!service.has_selector()) return gatherer.finish(EndpointSource::kNone);
    for (const auto& pod : store.pods_in(name.name_space)) {
        if (pod->is_finished() || !contains_labels(pod->meta.labels, *service.selector)) continue;
        gatherer.add_pod(*pod);
    }
    return gatherer.finish(EndpointSource::kPods);
}

template <Family F>
EndpointChoice<F> choose_endpoints(const std::vector<EndpointCandidate>& candidates) {
    int best = 0;
    int best_local = 0;
    // Hints count if every ready endpoint has one and at least one is for here; hints for nodes
    // take precedence over hints for zones.
    bool all_for_nodes = true, one_for_this_node = false;
    bool all_for_zones = true, one_for_this_zone = false;
    for (const EndpointCandidate& candidate : candidates) {
        if (!candidate.address.is<F>()) continue;
        best = std::max(best, rank(candidate));
        if (candidate.local) best_local = std::max(best_local, rank(candidate));
        if (!candidate.ready) continue;
        all_for_nodes = all_for_nodes && candidate.node_hint != Hint::kNone;
        one_for_this_node = one_for_this_node || candidate.node_hint == Hint::kHere;
        all_for_zones = all_for_zones && candidate.zone_hint != Hint::kNone;
        one_for_this_zone = one_for_this_zone || candidate.zone_hint == Hint::kHere;
    }
    const bool by_node = all_for_nodes && one_for_this_node;
    const bool by_zone = !by_node && all_for_zones && one_for_this_zone;
    const auto kept_for_others = [&](const EndpointCandidate& candidate) {
        return candidate.ready && ((by_node && candidate.node_hint != Hint::kHere) ||
                                   (by_zone && candidate.zone_hint != Hint::kHere));
    };
    EndpointChoice<F> choice;
    for (const EndpointCandidate& candidate : candidates) {
        if (!candidate.address.is<F>()) continue;
        const Endpoint<F> endpoint{candidate.address.as<F>(), be16(candidate.port)};
        const int value = rank(candidate);
        if (candidate.ready || candidate.serving) choice.serving.push_back(endpoint);
        if (value == 0) continue;
        if (value == best && !kept_for_others(candidate)) choice.cluster.push_back(endpoint);
        if (value == best_local && candidate.local) choice.local.push_back(endpoint);
    }
    for (auto* list : {&choice.cluster, &choice.local, &choice.serving}) {
        std::sort(list->begin(), list->end());
    }
    return choice;
}

template <Family F>
std::shared_ptr<const EndpointSet<F>> make_endpoint_set(std::vector<Endpoint<F>> endpoints) {
    if (endpoints.empty()) return empty_endpoint_set<F>();
    constexpr size_t kMost = 65535;  // MaglevTable's slots are 16 bits
    if (endpoints.size() > kMost) endpoints.resize(kMost);
    auto set = std::make_shared<EndpointSet<F>>();
    std::vector<uint64_t> identities;
    identities.reserve(endpoints.size());
    for (const auto& endpoint : endpoints) {
        identities.push_back(fnv1a(raw_bytes(endpoint.port), fnv1a(raw_bytes(endpoint.address))));
    }
    set->maglev = MaglevTable::build(identities);
    set->endpoints = std::move(endpoints);
    return set;
}

template <Family F>
const std::shared_ptr<const EndpointSet<F>>& empty_endpoint_set() {
    static const std::shared_ptr<const EndpointSet<F>> empty =
        std::make_shared<const EndpointSet<F>>();
    return empty;
}

template EndpointChoice<V4> choose_endpoints<V4>(const std::vector<EndpointCandidate>&);
template EndpointChoice<V6> choose_endpoints<V6>(const std::vector<EndpointCandidate>&);
template std::shared_ptr<const EndpointSet<V4>> make_endpoint_set<V4>(std::vector<Endpoint<V4>>);
template std::shared_ptr<const EndpointSet<V6>> make_endpoint_set<V6>(std::vector<Endpoint<V6>>);
template const std::shared_ptr<const EndpointSet<V4>>& empty_endpoint_set<V4>();
template const std::shared_ptr<const EndpointSet<V6>>& empty_endpoint_set<V6>();

}  // namespace podlane::control
