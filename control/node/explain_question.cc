#include "control/node/explain_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "control/node/explain_target.h"

namespace podlane::control {

namespace {

constexpr uint16_t kAnyClientPort = 40000;
constexpr uint16_t kAnyEchoId = 1;

/// Addresses for "some client outside" if the question names only a port: RFC 5737, RFC 3849.
constexpr std::string_view kOutsideV4 = "203.0.113.1";
constexpr std::string_view kOutsideV6 = "2001:db8::1";

std::optional<IpAddress> of_family(const std::vector<IpAddress>& addresses, bool is_v4) {
    const auto at = std::find_if(addresses.begin(), addresses.end(),
                                 [is_v4](const IpAddress& a) { return a.is_v4() == is_v4; });
    return at != addresses.end() ? std::optional(*at) : std::nullopt;
}

Result<uint8_t> parse_protocol(std::string_view word, bool is_v4) {
    if (word.empty() || word == "tcp") return kProtocolTcp;
    if (word == "udp") return kProtocolUdp;
    if (word == "sctp") return kProtocolSctp;
    if (word == "icmp") return is_v4 ? V4::kIcmpProtocol : V6::kIcmpProtocol;
    return Error{fmt::format("protocol: {} is none of tcp, udp, sctp, icmp", word)};
}

/// The sender's addresses, if it is an address or a pod; none if the question only names a port.
std::vector<IpAddress> addresses_of_sender(const LiveView& live, std::string_view from) {
    if (const auto address = parse_ip(from)) return {*address};
    for (const auto& [name, pod] : live.pods) {
        if (name == from || pod.pod == from) return pod.addresses;
    }
    const size_t slash = from.find('/');
    if (slash == std::string_view::npos) return {};
    const auto object = live.store.find<Pod>(
        {std::string(from.substr(0, slash)), std::string(from.substr(slash + 1))});
    return object ? object->ips : std::vector<IpAddress>{};
}

/// The namespace of the sending pod; "" if the sender is not a pod.
std::string namespace_of_sender(const LiveView& live, std::string_view from) {
    const auto address = parse_ip(from);
    for (const auto& [name, pod] : live.pods) {
        const bool is_it = address
                               ? std::ranges::find(pod.addresses, *address) != pod.addresses.end()
                               : from == name || from == pod.pod || from == "port:" + name;
        if (is_it) return pod.pod.substr(0, pod.pod.find('/'));
    }
    const size_t slash = from.find('/');
    return std::string(address || slash == std::string_view::npos ? "" : from.substr(0, slash));
}

/// The first destination address of a family that the sender has as well.
IpAddress pick_destination(const std::vector<IpAddress>& wanted,
                           const std::vector<IpAddress>& sender) {
    for (const IpAddress& address : wanted) {
        if (sender.empty() || of_family(sender, address.is_v4())) return address;
    }
    return wanted.front();
}

Error no_address(std::string_view what, bool is_v4) {
    return {fmt::format("from: {} has no {} address, which the destination is", what,
                        is_v4 ? "IPv4" : "IPv6")};
}

Result<void> from_local_pod(const AttachedPod& pod, ExplainQuestion& question) {
    const auto address = of_family(pod.addresses, question.dst.is_v4());
    if (!address) return no_address("pod " + pod.pod, question.dst.is_v4());
    question.src = *address;
    question.port = pod.port.id();
    question.from = PortKind::kPod;
    question.where = "port " + pod.name;
    question.why = fmt::format("{} is pod {} of this node", to_string(*address), pod.pod);
    return {};
}

/// The first port of a kind: where outside traffic comes in, or the kernel's.
PortId port_of_kind(const PortNames& names, PortKind kind) {
    for (const auto& [id, port] : names.all()) {
        if (port.kind == kind) return id;
    }
    return kNoPort;
}

/// A Pod object of this node that was never given a port, so no packets can come from it.
Error never_added(const Pod& pod) {
    const std::string name = to_string(pod.meta.namespaced_name());
    std::string addresses;
    for (const IpAddress& ip : pod.ips) addresses += " --address " + to_string(ip);
    return {
        fmt::format("from: pod {} of this node has no port here: "
                    "podlanectl pod add {} --netns PATH{}",
                    name, name, addresses)};
}

/// The Pod object of this node that has the address; null if there is none.
ObjectPtr<Pod> pod_of(const LiveView& live, const IpAddress& address) {
    for (const auto& [name, pod] : live.store.all<Pod>()) {
        if (pod->node_name != live.config.node || pod->host_network) continue;
        if (std::find(pod->ips.begin(), pod->ips.end(), address) != pod->ips.end()) return pod;
    }
    return nullptr;
}

template <Family F>
bool is_node_address(const Snapshot& snapshot, const IpAddress& address) {
    const auto& own = snapshot.family<F>().node_addresses;
    return std::find(own.begin(), own.end(), address.as<F>()) != own.end();
}

/// The port where packets from a foreign address come in, and whether through the tunnel.
template <Family F>
void from_elsewhere(const LiveView& live, const PortNames& names, ExplainQuestion& question) {
    question.from = PortKind::kUplink;
    question.port = port_of_kind(names, PortKind::kUplink);
    const Route<F>* route = live.snapshot.family<F>().routes->find(question.src.as<F>());
    if (route != nullptr && route->adjacency != kNoAdjacency) {
        const Adjacency& adjacency = live.snapshot.adjacencies[index_of(route->adjacency)];
        question.port = adjacency.port;
        question.overlay = adjacency.kind == AdjacencyKind::kTunnel;
    } else if (route != nullptr && route->port != kNoPort) {
        question.port = route->port;
    }
    question.where = fmt::format("port {}{}", names.name(question.port),
                                 question.overlay ? ", out of the tunnel" : "");
    if (question.why.empty()) {
        question.why = route != nullptr && !route->origin.empty()
                           ? fmt::format("{}: {}", to_string(question.src), route->origin)
                           : fmt::format("{} is not of this node", to_string(question.src));
    }
}

void from_host(const PortNames& names, const Snapshot& snapshot, ExplainQuestion& question) {
    question.from = PortKind::kHost;
    question.port = snapshot.host_port;
    question.where = fmt::format("port {}", names.name(question.port));
    question.why = fmt::format("{} is this node's kernel", to_string(question.src));
}

void from_address(const LiveView& live, const PortNames& names, ExplainQuestion& question) {
    for (const auto& [name, pod] : live.pods) {
        if (std::find(pod.addresses.begin(), pod.addresses.end(), question.src) !=
            pod.addresses.end()) {
            question.port = pod.port.id();
            question.where = "port " + name;
            question.why =
                fmt::format("{} is pod {} of this node", to_string(question.src), pod.pod);
            return;
        }
    }
    const bool own = question.src.is_v4() ? is_node_address<V4>(live.snapshot, question.src)
                                          : is_node_address<V6>(live.snapshot, question.src);
    if (own) return from_host(names, live.snapshot, question);
    if (question.src.is_v4()) {
        from_elsewhere<V4>(live, names, question);
    } else {
        from_elsewhere<V6>(live, names, question);
    }
}

Result<void> from_port(const LiveView& live, const PortNames& names, std::string_view name,
                       ExplainQuestion& question) {
    if (const AttachedPod* pod = live.ports.find(name)) return from_local_pod(*pod, question);
    const PortInfo* port = names.find(name);
    if (port == nullptr) return Error{fmt::format("from: there is no port {}", name)};
    const bool is_v4 = question.dst.is_v4();
    if (port->kind == PortKind::kHost) {
        std::vector<IpAddress> own;
        for (const auto& a : live.snapshot.v4.node_addresses) own.emplace_back(a);
        for (const auto& a : live.snapshot.v6.node_addresses) own.emplace_back(a);
        const auto address = of_family(own, is_v4);
        if (!address) return no_address("this node", is_v4);
        question.src = *address;
        from_host(names, live.snapshot, question);
        return {};
    }
    question.src = *parse_ip(is_v4 ? kOutsideV4 : kOutsideV6);
    question.from = PortKind::kUplink;
    question.port = port->id;
    question.where = fmt::format("port {}", name);
    question.why = fmt::format("{} stands for any client outside", to_string(question.src));
    return {};
}

Result<void> from_pod_name(const LiveView& live, const PortNames& names, std::string_view name,
                           ExplainQuestion& question) {
    if (const AttachedPod* pod = live.ports.find(name)) return from_local_pod(*pod, question);
    const size_t slash = name.find('/');
    const auto object = live.store.find<Pod>(
        {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
    if (!object) {
        return Error{fmt::format("from: there is no pod {} on this node, nor a Pod object", name)};
    }
    if (object->node_name == live.config.node && !object->host_network) {
        return never_added(*object);
    }
    const auto address = of_family(object->ips, question.dst.is_v4());
    if (!address) return no_address(fmt::format("pod {}", name), question.dst.is_v4());
    question.src = *address;
    question.why = fmt::format("{} is pod {} of node {}", to_string(*address), name,
                               object->node_name.empty() ? "?" : object->node_name);
    from_address(live, names, question);
    return {};
}

}  // namespace

Result<ExplainQuestion> resolve_question(const LiveView& live, const PortNames& names,
                                         const ExplainRequest& request) {
    ExplainQuestion question;
    const auto target =
        resolve_target(live.store, live.snapshot.dns.get(), namespace_of_sender(live, request.from),
                       request.to, request.protocol != "icmp");
    if (!target.ok()) return target.error();
    question.dst = pick_destination(target->addresses, addresses_of_sender(live, request.from));
    const auto protocol = parse_protocol(request.protocol, question.dst.is_v4());
    if (!protocol.ok()) return protocol.error();
    question.protocol = protocol.value();
    const bool is_icmp = request.protocol == "icmp";
    if (is_icmp && target->port) return Error{"to: ICMP has no ports; give the address alone"};
    if (!is_icmp && !target->port) {
        return Error{fmt::format("to: {} lacks a port, such as {}", request.to,
                                 to_string(question.dst, uint16_t{80}))};
    }
    question.dst_port = target->port.value_or(0);
    question.src_port = request.source_port.value_or(is_icmp ? kAnyEchoId : kAnyClientPort);

    Result<void> from;
    constexpr std::string_view kPortPrefix = "port:";
    if (std::string_view(request.from).starts_with(kPortPrefix)) {
        from = from_port(live, names, std::string_view(request.from).substr(kPortPrefix.size()),
                         question);
    } else if (const auto address = parse_ip(request.from)) {
        if (address->is_v4() != question.dst.is_v4()) {
            return Error{fmt::format("from {} and to {} are of different address families",
                                     to_string(*address), to_string(question.dst))};
        }
        question.src = *address;
        from_address(live, names, question);
        const auto own = question.from == PortKind::kUplink ? pod_of(live, *address) : nullptr;
        if (own) return never_added(*own);
        const bool is_nobodys =
            question.from == PortKind::kUplink &&
            std::ranges::any_of(live.config.pods.cidrs,
                                [&](const IpPrefix& cidr) { return cidr.contains(*address); });
        if (is_nobodys) {
            return Error{
                fmt::format("from: no pod of this node has {}: podlanectl pod add NAMESPACE/NAME "
                            "--netns PATH --address {}",
                            request.from, request.from)};
        }
    } else if (request.from.find('/') != std::string::npos) {
        from = from_pod_name(live, names, request.from, question);
    } else {
        return Error{
            fmt::format("from: {} is none of NAMESPACE/POD, an address, port:NAME", request.from)};
    }
    if (!from.ok()) return from.error();
    return question;
}

}  // namespace podlane::control
