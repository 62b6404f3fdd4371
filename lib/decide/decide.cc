#include "lib/decide/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/ip_address.h"
#include "lib/decide/policy.h"
#include "lib/decide/tunnel.h"
#include "lib/dns/wire.h"
#include "lib/dns/zone.h"

namespace podlane {

namespace {

/// Values of FamilyState::keep_source.
constexpr uint8_t kKeepPodCidr = 1;

/// RFC 1812 section 5.3.5.1: limited broadcast; RFC 4291 section 2.5.6: link-local addresses.
bool may_be_forwarded(const Ipv4Address& address) noexcept {
    return address.value.raw != ~uint32_t{0};
}
bool may_be_forwarded(const Ipv6Address& address) noexcept {
    return !address.is_link_local();
}

/// Whether the traffic gets a frontend's inside endpoints, as that of this node's pods and kernel
/// does.
template <Family F>
bool is_inside(const PathQuery<F>& query) noexcept {
    return !query.overlay && query.from != PortKind::kUplink;
}

template <Family F>
bool is_local_pod_address(const FamilyState<F>& state,
                          const typename F::Address& address) noexcept {
    return std::any_of(state.pod_cidrs.begin(), state.pod_cidrs.end(),
                       [&](const Prefix<F>& cidr) { return cidr.contains(address); });
}

template <Family F>
std::string text(const typename F::Address& address) {
    return to_string(IpAddress(address));
}

template <Family F>
std::string text(const typename F::Address& address, be16 port) {
    return to_string(IpAddress(address), port.host());
}

/// Refuses a tunnel packet that a pod or a stranger sends through this node: it would leave with
/// the node's source address, and be trusted.
template <Family F, class Trace>
bool drop_forged_tunnel(const Snapshot& snapshot, const PathQuery<F>& query,
                        PathDecision<F>& decision, Trace& trace) {
    const FamilyState<F>& state = snapshot.family<F>();
    const FlowKey<F>& to = decision.to;
    if (!snapshot.overlay.enabled || query.from == PortKind::kHost || to.protocol != kProtocolUdp ||
        to.dst_port != snapshot.overlay.port) {
        return false;
    }
    if (!state.is_node_address(to.dst) && state.tunnel_peers->find(to.dst) == nullptr) {
        return false;
    }
    decision.verdict = PathVerdict::kDrop;
    decision.reason = Drop::kTunnelPortForbidden;
    if constexpr (Trace::kEnabled) {
        trace.step("tunnel", "drop",
                   fmt::format("{} is a node's VTEP; only nodes send there",
                               text<F>(to.dst, to.dst_port)));
    }
    return true;
}

/// Rejects a packet to a Service's address but to no port of that Service.
template <Family F, class Trace>
bool reject_undefined_port(const FamilyState<F>& state, const PathQuery<F>& query,
                           PathDecision<F>& decision, Trace& trace) {
    if (!state.frontends.has_address(query.key.dst) || state.is_node_address(query.key.dst)) {
        return false;
    }
    decision.verdict = PathVerdict::kReject;
    decision.reason = Drop::kServiceUndefinedPort;
    if constexpr (Trace::kEnabled) {
        trace.step(
            "service", "reject",
            fmt::format("{} belongs to a Service that has no such port", text<F>(query.key.dst)));
    }
    return true;
}

/// The endpoint for a client with session affinity, and whether it was remembered.
template <Family F, class Trace>
std::pair<Endpoint<F>, bool> sticky_endpoint(const PathQuery<F>& query, const Frontend<F>& frontend,
                                             const EndpointSet<F>& set,
                                             PathDecision<F>& decision) noexcept {
    const auto usable = [&set](const Endpoint<F>& endpoint) { return set.contains(endpoint); };
    const Endpoint<F>& candidate = set.pick(query.hash);
    if constexpr (Trace::kEnabled) {
        const auto& had = query.remembered;
        return had && usable(*had) ? std::pair(*had, true) : std::pair(candidate, false);
    }
    const auto settled = query.affinity->settle(query.key.src, affinity_key(frontend), candidate,
                                                query.now_s, frontend.affinity_seconds, usable);
    if (settled) return {*settled, *settled != candidate};
    // Without room to remember it, the client's address alone chooses, which works as long as
    // endpoints hardly change.
    decision.affinity_full = true;
    FlowKey<F> client{};
    client.src = query.key.src;
    return {set.pick(service_hash(client)), false};
}

/// Chooses an endpoint; false when the packet ends here.
template <Family F, class Trace>
bool apply_service(const Snapshot& snapshot, const PathQuery<F>& query, const Frontend<F>& frontend,
                   PathDecision<F>& decision, Trace& trace) {
    decision.service = frontend.service;
    decision.service_epoch = snapshot.service_epochs[index_of(frontend.service)];
    if (frontend.source_ranges) {
        const auto& ranges = *frontend.source_ranges;
        const bool allowed = std::any_of(ranges.begin(), ranges.end(), [&](const Prefix<F>& range) {
            return range.contains(query.key.src);
        });
        if (!allowed) {
            decision.verdict = PathVerdict::kDrop;
            decision.reason = Drop::kServiceSourceRange;
            if constexpr (Trace::kEnabled) {
                trace.step("service", "drop",
                           fmt::format("{} is outside loadBalancerSourceRanges of Service {}",
                                       text<F>(query.key.src), frontend.service_name));
            }
            return false;
        }
    }
    const EndpointSet<F>& set = is_inside(query) ? *frontend.inside : *frontend.outside;
    if (set.empty()) {
        const bool local_only = frontend.drop_when_empty;
        decision.verdict = local_only ? PathVerdict::kDrop : PathVerdict::kReject;
        decision.reason = local_only ? Drop::kServiceNoLocalEndpoints : Drop::kServiceNoEndpoints;
        if constexpr (Trace::kEnabled) {
            trace.step("service", local_only ? "drop" : "reject",
                       fmt::format("Service {} has no endpoint{} for this traffic",
                                   frontend.service_name, local_only ? " on this node" : ""));
        }
        return false;
    }
    const bool sticky =
        frontend.affinity_seconds != 0 && (Trace::kEnabled || query.affinity != nullptr);
    const auto [endpoint, remembered] =
        sticky ? sticky_endpoint<F, Trace>(query, frontend, set, decision)
               : std::pair(set.pick(query.hash), false);
    decision.to.dst = endpoint.address;
    decision.to.dst_port = endpoint.port;
    decision.translated = true;
    if constexpr (Trace::kEnabled) {
        trace.step(
            "service", fmt::format("to endpoint {}", text<F>(endpoint.address, endpoint.port)),
            fmt::format("{} of Service {}{}, {}{}", to_string(frontend.kind), frontend.service_name,
                        frontend.port_name.empty() ? "" : ":" + frontend.port_name,
                        set.endpoints.size() == 1
                            ? "its only endpoint"
                            : fmt::format("picked among {} endpoints", set.endpoints.size()),
                        remembered ? ", the client's by sessionAffinity" : ""));
    }
    return true;
}

template <Family F>
bool is_pod_address(const FamilyState<F>& state, const typename F::Address& address) noexcept {
    const uint8_t* keep = state.keep_source->find(address);
    return keep != nullptr && *keep == kKeepPodCidr;
}

/// The source address for masquerading towards `destination`; false when there is none. For pods
/// and this node's kernel that is the node's gateway address.
template <Family F>
bool masquerade_source(const FamilyState<F>& state, const typename F::Address& destination,
                       typename F::Address& out) noexcept {
    const bool by_gateway =
        is_pod_address(state, destination) || state.is_node_address(destination);
    if (state.has_uplink_source && !(by_gateway && !state.gateways.empty())) {
        out = state.uplink_source;
        return true;
    }
    if (state.gateways.empty()) return false;
    out = state.gateways.front();
    return true;
}

/// Why the packet's source must become this node's; nullptr: it is kept.
template <Family F>
const char* masquerade_reason(const FamilyState<F>& state, const PathQuery<F>& query,
                              const Frontend<F>* frontend,
                              const PathDecision<F>& decision) noexcept {
    if (decision.translated && state.is_node_address(decision.to.dst)) {
        // The node's reply comes back through here in any case. But its kernel drops packets that
        // come with its own address, so a hairpin needs another source.
        return query.from == PortKind::kHost ? "hairpin: the node is its own endpoint" : nullptr;
    }
    if (query.from == PortKind::kHost) return nullptr;
    if (decision.translated && decision.to.dst == query.key.src) {
        return "hairpin: the pod is its own endpoint";
    }
    if (frontend != nullptr && !is_inside(query)) {
        if (frontend->masquerade_outside) return "externalTrafficPolicy Cluster";
        // The endpoint may be on another node, and would reply to the client directly.
        if (frontend->kind == FrontendKind::kClusterIp && !is_pod_address(state, query.key.src)) {
            return "a client outside the cluster uses a ClusterIP";
        }
    }
    if (query.from == PortKind::kPod && is_local_pod_address(state, query.key.src) &&
        state.keep_source->find(decision.to.dst) == nullptr) {
        return "a pod's traffic leaves the cluster";
    }
    return nullptr;
}

template <Family F>
bool leads_on(const PathDecision<F>& decision) noexcept {
    return decision.verdict == PathVerdict::kForward || decision.verdict == PathVerdict::kResolve;
}

/// Asks the NetworkPolicies of the pods at both ends.
template <Family F, class Trace>
void apply_policies(const Snapshot& snapshot, const PathQuery<F>& query, PathDecision<F>& decision,
                    Trace& trace) {
    if (!leads_on(decision)) return;
    FlowKey<F> key = query.key;
    key.dst = decision.to.dst;
    key.dst_port = decision.to.dst_port;
    const PolicyQuery<F> asked = policy_query(snapshot, query.arrival(), key, decision.port);
    if (!snapshot.polices(asked.from) && !snapshot.polices(asked.to)) return;
    decision.isolated = true;
    const Drop drop = judge_policies(snapshot, asked, trace);
    if (drop == Drop::kNone) return;
    decision.verdict = PathVerdict::kDrop;
    decision.reason = drop;
}

/// Whether the packet is forwarded, and whether its TTL allows that.
template <Family F, class Trace>
void apply_ttl(const Snapshot& snapshot, const PathQuery<F>& query, PathDecision<F>& decision,
               Trace& trace) {
    if (!leads_on(decision)) return;
    const PortKind out =
        decision.port == kNoPort ? PortKind::kNone : snapshot.port(decision.port).kind;
    decision.forwarded = is_forwarded(query.from, out);
    if (!ttl_ends(decision.forwarded, query.ttl)) return;
    decision.verdict = PathVerdict::kExpired;
    decision.reason = Drop::kIpTtlExpired;
    if constexpr (Trace::kEnabled) {
        trace.step("ttl", "reject",
                   fmt::format("it came in with {}, and each router takes one", query.ttl));
    }
}

/// Whether the packet is for the cluster's DNS server, which is on this node (lib/dns).
template <Family F>
bool is_for_dns(const Snapshot& snapshot, const FlowKey<F>& key) noexcept {
    return key.dst_port.host() == kDnsPort &&
           (key.protocol == kProtocolUdp || key.protocol == kProtocolTcp) &&
           key.kind == static_cast<uint8_t>(FlowKind::kWhole) && snapshot.dns != nullptr &&
           snapshot.dns->is_server<F>(key.dst);
}

/// Whether the DNS server answers this sender: pods, nodes, this node's kernel.
template <Family F>
bool may_ask_dns(const Snapshot& snapshot, const PathQuery<F>& query) noexcept {
    return is_inside(query) || query.overlay ||
           snapshot.family<F>().keep_source->find(query.key.src) != nullptr;
}

/// Whether the DNS server sends this packet over UDP. Both ends use their own addresses, so there
/// is nothing for a flow to remember.
template <Family F>
bool is_from_dns(const Snapshot& snapshot, const PathQuery<F>& query) noexcept {
    return query.from == PortKind::kDns && query.key.protocol == kProtocolUdp &&
           query.key.src_port.host() == kDnsPort && snapshot.dns != nullptr;
}

/// Decides about a permitted query over UDP. One over TCP is a connection like any other.
template <Family F, class Trace>
void decide_dns_query(const Snapshot& snapshot, const PathQuery<F>& query,
                      PathDecision<F>& decision, Trace& trace) {
    if (snapshot.has_policies()) {
        decision.reason = judge_policies(
            snapshot, policy_query(snapshot, query.arrival(), query.key, kNoPort), trace);
        if (decision.reason != Drop::kNone) return;
    }
    decide_route(snapshot, query.key.dst, decision, trace);
    decision.makes_flow = false;
    if (decision.verdict != PathVerdict::kForward) {
        // No way to the server; what the snapshot knows is answered all the same.
        decision.adjacency = kNoAdjacency;
        if (decision.reason == Drop::kNone) decision.reason = Drop::kNoRoute;
    }
    decision.verdict = PathVerdict::kDns;
}

/// Whether the packet is addressed to our tunnel endpoint. Whole packets are decapsulated before
/// any decision, and fragments are refused (RFC 7348 section 4.3 allows that).
template <Family F, class Trace>
bool is_tunnelled(const Snapshot& snapshot, const PathQuery<F>& query, Trace& trace) {
    if (query.from != PortKind::kUplink || query.overlay ||
        !tunnel_end(snapshot).template takes<F>(query.key.protocol, query.key.dst,
                                                query.key.dst_port)) {
        return false;
    }
    if constexpr (Trace::kEnabled) {
        trace.step("decap", "the frame inside goes on",
                   fmt::format("{} is this node's end of the overlay; fragments are dropped",
                               text<F>(query.key.dst, query.key.dst_port)));
    }
    return true;
}

template <Family F, class Trace>
bool apply_masquerade(const FamilyState<F>& state, const PathQuery<F>& query,
                      const Frontend<F>* frontend, PathDecision<F>& decision, Trace& trace) {
    const char* why = masquerade_reason(state, query, frontend, decision);
    if (why == nullptr) return true;
    if (!masquerade_source(state, decision.to.dst, decision.to.src)) {
        decision.verdict = PathVerdict::kDrop;
        decision.reason = Drop::kNoSnatAddress;
        return false;
    }
    decision.masquerade = true;
    if constexpr (Trace::kEnabled) {
        trace.step("masquerade", fmt::format("source becomes {}", text<F>(decision.to.src)), why);
    }
    return true;
}

}  // namespace

template <Family F, class Trace>
void decide_route(const Snapshot& snapshot, const typename F::Address& destination,
                  PathDecision<F>& decision, Trace& trace) {
    const Route<F>* route = snapshot.family<F>().routes->find(destination);
    const RouteKind kind = route != nullptr ? route->kind : RouteKind::kUnreachable;
    switch (kind) {
        case RouteKind::kAdjacency:
        case RouteKind::kHost:
            decision.adjacency = route->adjacency;
            decision.port = route->port;
            if (route->adjacency == kNoAdjacency) {
                decision.verdict = PathVerdict::kDrop;
                decision.reason = Drop::kHostAbsent;
            } else {
                decision.verdict = PathVerdict::kForward;
            }
            break;
        case RouteKind::kConnected:
        case RouteKind::kVia:
            decision.verdict = PathVerdict::kResolve;
            decision.port = route->port;
            decision.next_hop = kind == RouteKind::kVia ? route->via : destination;
            break;
        case RouteKind::kGateway:
            decision.verdict = PathVerdict::kLocal;
            decision.reason = Drop::kGatewayUnhandled;
            break;
        case RouteKind::kUnallocated:
            decision.verdict = PathVerdict::kDrop;
            decision.reason = Drop::kServiceUnallocated;
            break;
        case RouteKind::kUnreachable:
            decision.verdict = PathVerdict::kNoRoute;
            decision.reason = Drop::kNoRoute;
            break;
    }
    if constexpr (Trace::kEnabled) {
        Prefix<F> prefix{};
        const bool found = snapshot.family<F>().routes->find_prefix(destination, prefix);
        trace.step(
            "route", to_string(decision.verdict),
            found ? fmt::format("{} is in {} ({}{}{})", text<F>(destination),
                                to_string(IpPrefix{prefix.address, prefix.length}), to_string(kind),
                                route->origin.empty() ? "" : ", ", route->origin)
                  : fmt::format("no route to {}", text<F>(destination)));
    }
}

template <Family F>
AdjacencyId adjacency_towards(const Snapshot& snapshot,
                              const typename F::Address& destination) noexcept {
    PathDecision<F> decision;
    NoTrace trace;
    decide_route(snapshot, destination, decision, trace);
    return decision.verdict == PathVerdict::kForward ? decision.adjacency : kNoAdjacency;
}

template <Family F, class Trace>
PathDecision<F> decide(const Snapshot& snapshot, const PathQuery<F>& query, Trace& trace) {
    const FamilyState<F>& state = snapshot.family<F>();
    PathDecision<F> decision;
    decision.to = query.key;
    if (query.key.dst.is_multicast()) {
        decision.reason = Drop::kMulticastUnrouted;
        return decision;
    }
    // Only the node's own kernel may reach a host port at 127.0.0.1.
    const bool is_loopback =
        query.key.dst.is_loopback() &&
        (query.from != PortKind::kHost || find_frontend(snapshot, query.key) == nullptr);
    if (query.key.dst.is_zero() || is_loopback || query.key.src.is_zero() ||
        !may_be_forwarded(query.key.dst) || !may_be_forwarded(query.key.src)) {
        decision.reason = Drop::kIpBadAddress;
        return decision;
    }
    if (is_tunnelled(snapshot, query, trace)) {
        decision.reason = Drop::kTunnelFragment;
        return decision;
    }
    if (is_from_dns(snapshot, query)) {
        decide_route(snapshot, query.key.dst, decision, trace);
        decision.makes_flow = false;
        return decision;
    }
    const bool for_dns = is_for_dns(snapshot, query.key);
    if (for_dns && !may_ask_dns(snapshot, query)) {
        decision.reason = Drop::kDnsStranger;
        if constexpr (Trace::kEnabled) {
            trace.step("dns", "drop",
                       fmt::format("{} is neither a pod's nor a node's; the cluster's DNS server "
                                   "does not answer it",
                                   text<F>(query.key.src)));
        }
        return decision;
    }
    // Port 53 at the server's address is the server's, whatever Service has that address.
    const Frontend<F>* frontend = for_dns ? nullptr : find_frontend(snapshot, query.key);
    if (for_dns) {
        if constexpr (Trace::kEnabled) {
            trace.step("dns", "to the cluster's DNS server",
                       "this node answers; over UDP the worker does, without a connection, what "
                       "it knows from the snapshot");
        }
        if (query.key.protocol == kProtocolUdp) {
            decide_dns_query(snapshot, query, decision, trace);
            return decision;
        }
    } else if (frontend != nullptr) {
        if (!apply_service(snapshot, query, *frontend, decision, trace)) return decision;
    } else {
        if (reject_undefined_port(state, query, decision, trace)) return decision;
        decision.service_epoch = snapshot.service_epochs[index_of(kNoService)];
        if constexpr (Trace::kEnabled) {
            trace.step("service", "none", "the destination is no Service's");
        }
    }
    if (drop_forged_tunnel(snapshot, query, decision, trace)) return decision;
    if (!apply_masquerade(state, query, frontend, decision, trace)) return decision;
    decide_route(snapshot, decision.to.dst, decision, trace);
    apply_ttl(snapshot, query, decision, trace);
    decision.reply_adjacency = adjacency_towards<F>(snapshot, query.key.src);
    apply_policies(snapshot, query, decision, trace);
    return decision;
}

#define PODLANE_INSTANTIATE(F)                                                                     \
    template void decide_route<F, NoTrace>(const Snapshot&, const F::Address&, PathDecision<F>&,   \
                                           NoTrace&);                                              \
    template void decide_route<F, StepTrace>(const Snapshot&, const F::Address&, PathDecision<F>&, \
                                             StepTrace&);                                          \
    template PathDecision<F> decide<F, NoTrace>(const Snapshot&, const PathQuery<F>&, NoTrace&);   \
    template PathDecision<F> decide<F, StepTrace>(const Snapshot&, const PathQuery<F>&,            \
                                                  StepTrace&);                                     \
    template AdjacencyId adjacency_towards<F>(const Snapshot&, const F::Address&) noexcept;
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane
