#include "control/node/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "control/node/explain_question.h"
#include "control/node/explain_remarks.h"
#include "control/node/next_hops.h"
#include "control/show/text.h"
#include "lib/decide/answer.h"
#include "lib/decide/bridge.h"
#include "lib/decide/decide.h"

namespace podlane::control {

namespace {

/// The answer under construction.
struct Answer : Explanation {
    StepTrace trace;
    PortId out_port_id = kNoPort;
    std::optional<uint32_t> bytes;  ///< of the packet, if the question has it
    bool is_v4 = true;
    bool any_source_port = false;  ///< the question names none
};

template <Family F>
FlowKey<F> key_of(const ExplainQuestion& question) {
    return {question.src.as<F>(),
            question.dst.as<F>(),
            be16(question.src_port),
            be16(question.dst_port),
            question.protocol,
            static_cast<uint8_t>(FlowKind::kWhole),
            0};
}

/// Whether the pod asks for the destination's MAC address, not its gateway's.
template <Family F>
bool is_same_subnet(const Snapshot& snapshot, const ExplainQuestion& question) {
    const FamilyState<F>& state = snapshot.family<F>();
    const auto& dst = question.dst.as<F>();
    if (std::find(state.gateways.begin(), state.gateways.end(), dst) != state.gateways.end()) {
        return false;
    }
    return std::any_of(state.pod_cidrs.begin(), state.pod_cidrs.end(), [&](const Prefix<F>& cidr) {
        return cidr.contains(question.src.as<F>()) && cidr.contains(dst);
    });
}

/// Frames between pods of one subnet are switched: services and routes do not matter. False: the
/// pod gets the router's MAC address for that destination.
template <Family F>
bool explain_bridge(const LiveView& live, const PortNames& names, const ExplainQuestion& question,
                    const PathQuery<F>& query, Answer& answer) {
    const Snapshot& snapshot = live.snapshot;
    const auto mac = answer_for<F>(snapshot, question.port, question.dst.as<F>());
    const std::string why = fmt::format(
        "{} is in the pod's own subnet: addressed by MAC, not "
        "routed, and no Service is asked",
        to_string(question.dst));
    if (!mac) {
        answer.reason = question.dst.is_v4() ? Drop::kArpHandled : Drop::kNdHandled;
        answer.trace.step("bridge",
                          question.dst.is_v4() ? "no answer to ARP" : "no neighbor advertisement",
                          why + "; no pod has this address");
        return true;
    }
    const PortView& port = snapshot.port(question.port);
    if (*mac == port.mac) return false;
    const uint64_t peer = port.peer_mac.as_u64();
    const BridgeDecision bridged =
        decide_bridge(*snapshot.fdb, peer, {peer, mac->as_u64(), question.port}, answer.trace);
    answer.reason = bridged.reason;
    if (bridged.verdict != BridgeVerdict::kSend) return true;
    answer.trace.step("bridge", fmt::format("port {}", names.name(bridged.port)),
                      fmt::format("{}; {} is there", why, to_string(*mac)));
    if (is_isolated(snapshot, question.port, bridged.port)) {
        answer.reason = decide_bridged(snapshot, query, bridged.port, answer.trace).reason;
        if (answer.reason != Drop::kNone) return true;
    }
    answer.verdict = ExplainVerdict::kForward;
    answer.out_port_id = bridged.port;
    remark_carrier(live.shortcut, question.protocol, question.port, bridged.port, answer.trace);
    return true;
}

/// Whether a packet of that size can be sent.
void explain_size(uint16_t mtu, Answer& answer) {
    if (!answer.bytes) return;
    if (*answer.bytes <= mtu) {
        answer.trace.step("mtu", "fits",
                          fmt::format("{} bytes, up to {} may go this way", *answer.bytes, mtu));
    } else if (answer.is_v4) {
        answer.trace.step(
            "mtu", "too large",
            fmt::format("{} bytes, up to {} may go this way: with DF, which TCP sets, "
                        "dropped as too_big, and the sender is told {}; else fragmented",
                        *answer.bytes, mtu, mtu));
    } else {
        answer.trace.step("mtu", "too large",
                          fmt::format("{} bytes, up to {} may go this way: dropped, and the sender "
                                      "is told {}",
                                      *answer.bytes, mtu, mtu));
        answer.verdict = ExplainVerdict::kReject;
        answer.reason = Drop::kTooBig;
    }
}

/// What sending to the adjacency does.
void explain_next_hop(const LiveView& live, const PortNames& names, const Adjacency& adjacency,
                      const IpAddress& destination, Answer& answer) {
    const std::string_view port = names.name(adjacency.port);
    const std::string mtu = fmt::format(
        "packets of up to {} bytes; larger ones are fragmented, or with DF the sender "
        "is told the size",
        adjacency.mtu);
    switch (adjacency.kind) {
        case AdjacencyKind::kTunnel:
            answer.tunnel = fmt::format("{} to {}", overlay_info(live.snapshot.overlay.format).word,
                                        to_string(tunnel_destination(adjacency)));
            answer.trace.step(
                "encap", answer.tunnel,
                fmt::format("VNI {}, UDP port {}, inner destination {}, the peer's "
                            "VTEP",
                            live.snapshot.overlay.vni, live.snapshot.overlay.port.host(),
                            to_string(adjacency.dst)));
            answer.trace.step("tx", fmt::format("port {}", port), mtu);
            explain_size(adjacency.mtu, answer);
            return;
        case AdjacencyKind::kEthernet:
            answer.trace.step("tx", fmt::format("port {}, to {}", port, to_string(adjacency.dst)),
                              mtu);
            explain_size(adjacency.mtu, answer);
            return;
        case AdjacencyKind::kUnresolved:
            answer.trace.step("neighbour", "the packet waits",
                              silent_next_hop(live, names, adjacency.port, destination) +
                                  " is being asked for its MAC address");
            return;
        case AdjacencyKind::kFailed:
        case AdjacencyKind::kNone:
            answer.verdict = ExplainVerdict::kReject;
            answer.reason = Drop::kNeighbourUnreachable;
            answer.trace.step(
                "neighbour", "reject",
                silent_next_hop(live, names, adjacency.port, destination) + " does not answer");
            return;
    }
}

template <Family F>
void take_verdict(const LiveView& live, const PortNames& names, const PathDecision<F>& decision,
                  Answer& answer) {
    answer.reason = decision.reason;
    switch (decision.verdict) {
        case PathVerdict::kForward: {
            answer.reason = Drop::kNone;
            const Adjacency& adjacency = live.snapshot.adjacencies[index_of(decision.adjacency)];
            answer.out_port_id = adjacency.port;
            answer.verdict = adjacency.port == live.snapshot.host_port ? ExplainVerdict::kHost
                                                                       : ExplainVerdict::kForward;
            explain_next_hop(live, names, adjacency, IpAddress(decision.to.dst), answer);
            return;
        }
        case PathVerdict::kResolve:
            answer.verdict = ExplainVerdict::kForward;
            answer.reason = Drop::kNone;
            answer.out_port_id = decision.port;
            answer.trace.step(
                "neighbour", "the packet waits",
                fmt::format("{} on {} is asked for its MAC address first",
                            address_with_node(live.store, IpAddress(decision.next_hop)),
                            names.name(decision.port)));
            return;
        case PathVerdict::kLocal:
            answer.verdict = ExplainVerdict::kReply;
            answer.reason = Drop::kNone;
            answer.trace.step("gateway", "answers an echo request, drops anything else",
                              "the destination is the pod bridge's own address");
            return;
        case PathVerdict::kDrop:
            answer.verdict = ExplainVerdict::kDrop;
            return;
        case PathVerdict::kReject:
        case PathVerdict::kNoRoute:
        case PathVerdict::kExpired:
            answer.verdict = ExplainVerdict::kReject;
            return;
        case PathVerdict::kDns:
            answer.reason = Drop::kNone;
            answer.out_port_id = decision.port;
            answer.verdict = decision.adjacency != kNoAdjacency ? ExplainVerdict::kForward
                                                                : ExplainVerdict::kReply;
            return;
    }
}

/// How replies find their way back, if the addresses differ from the question's.
template <Family F>
void explain_reply(const LiveView& live, const PortNames& names, const ExplainQuestion& question,
                   const PathDecision<F>& decision, Answer& answer) {
    if (answer.verdict != ExplainVerdict::kForward && answer.verdict != ExplainVerdict::kHost)
        return;
    const auto& to = decision.to;
    std::string what;
    if (decision.translated || decision.masquerade) {
        what = fmt::format("{} -> {} becomes {} -> {}", endpoint_text(to.dst, to.dst_port.host()),
                           decision.masquerade ? to_string(IpAddress(to.src))
                                               : endpoint_text(to.src, to.src_port.host()),
                           endpoint_text(question.dst, question.dst_port),
                           endpoint_text(question.src, question.src_port));
    } else {
        what = "unchanged";
    }
    const Adjacency& back = live.snapshot.adjacencies[index_of(decision.reply_adjacency)];
    answer.trace.step(
        "reply", std::move(what),
        decision.reply_adjacency == kNoAdjacency
            ? std::string("its next hop is found when the first reply comes")
            : fmt::format("the connection remembers; it leaves by {}", names.name(back.port)));
}

/// The first flow that matches in everything but the source port, of as many as the control thread
/// has time for: a page covers 65,536 connections.
constexpr unsigned kMostPages = 16;
std::optional<FlowInfo> find_any_flow(Dataplane& dataplane, const ExplainQuestion& question) {
    FlowFilter filter;
    filter.protocol = question.protocol;
    filter.src = question.src;
    filter.dst = question.dst;
    filter.dst_port = question.dst_port;
    FlowCursor cursor = 0;
    for (unsigned pages = 0; pages < kMostPages; ++pages) {
        FlowPage page = dataplane.flows(filter, 1, cursor);
        if (!page.flows.empty()) return page.flows.front();
        cursor = page.next;
        if (cursor == 0) break;
    }
    return std::nullopt;
}

/// The traffic that it carried, if that is counted.
std::string carried(const FlowInfo& flow) {
    if (!flow.traffic) return {};
    const auto& [packets, bytes] = *flow.traffic;
    return fmt::format(", has carried {} packets of {} bytes and back {} of {}", packets[0],
                       bytes[0], packets[1], bytes[1]);
}

/// Explains by an existing connection: it keeps its endpoint whatever would be decided now.
void explain_existing(const LiveView& live, const ExplainQuestion& question, bool any_source_port,
                      Answer& answer) {
    const auto flow = any_source_port
                          ? find_any_flow(live.dataplane, question)
                          : live.dataplane.find_flow({question.protocol, question.src, question.dst,
                                                      question.src_port, question.dst_port});
    if (!flow) return;
    const std::string to = endpoint_text(flow->reply_src, flow->reply_src_port);
    const std::string from = endpoint_text(flow->reply_dst, flow->reply_dst_port);
    answer.trace.step(
        "flow",
        fmt::format("a connection from {} exists and goes to {}",
                    endpoint_text(flow->src, flow->src_port), to),
        fmt::format("{}, decided {} s ago by worker {}, idle for {} s, forgotten after "
                    "{} s more{}{}; a connection keeps what was decided for it",
                    flow->state, flow->age_seconds, flow->worker, flow->idle_seconds,
                    flow->timeout_seconds, carried(*flow),
                    live.shortcut.carries(flow->ref) ? ", carried by the node's kernel now" : ""));
    if (any_source_port) return;
    answer.translated_to = to;
    answer.translated_from = from;
}

/// What the operator would ask next.
template <Family F>
void explain_around(const LiveView& live, const PortNames& names, const PathQuery<F>& query,
                    const PathDecision<F>& decision, Answer& answer) {
    if (decision.reason == Drop::kServiceUndefinedPort) {
        remark_ports(live.store, IpAddress(query.key.dst), answer.trace);
    }
    const Frontend<F>* const frontend = find_frontend(live.snapshot, query.key);
    if (frontend != nullptr && (decision.reason == Drop::kServiceNoEndpoints ||
                                decision.reason == Drop::kServiceNoLocalEndpoints)) {
        remark_endpoints(live.store, frontend->service_name, frontend->port_name, answer.trace);
    }
    if (decision.translated && frontend != nullptr && answer.any_source_port) {
        remark_other_endpoints(live.snapshot, *frontend, query, answer.trace);
    }
    if (answer.verdict != ExplainVerdict::kForward) return;
    const PortInfo* const out = names.find(answer.out_port_id);
    if (out == nullptr || out->kind != PortKind::kUplink) return;
    remark_other_node(live.store, live.config.node, IpAddress(decision.to.dst), answer.trace);
    if (remark_link(live.dataplane, names, answer.out_port_id, answer.trace)) {
        answer.verdict = ExplainVerdict::kDrop;
        answer.reason = Drop::kPortDown;
    }
}

template <Family F>
void explain_path(const LiveView& live, const PortNames& names, const ExplainQuestion& question,
                  Answer& answer) {
    PathQuery<F> query{key_of<F>(question), question.from, question.overlay, 0};
    query.hash = service_hash(query.key);
    if (question.from == PortKind::kPod) query.in_port = question.port;
    if (question.from == PortKind::kPod && is_same_subnet<F>(live.snapshot, question) &&
        explain_bridge<F>(live, names, question, query, answer)) {
        return;
    }
    if (const Frontend<F>* frontend = find_frontend(live.snapshot, query.key)) {
        answer.service = frontend->service_name;
        const auto had = live.dataplane.affinity(question.src, affinity_key(*frontend));
        if (had) {
            query.remembered = Endpoint<F>{had->endpoint.template as<F>(), be16(had->port)};
        }
    }
    const PathDecision<F> decision = decide(live.snapshot, query, answer.trace);
    take_verdict(live, names, decision, answer);
    explain_around(live, names, query, decision, answer);
    if (decision.translated) {
        answer.translated_to = endpoint_text(decision.to.dst, decision.to.dst_port.host());
    }
    if (decision.masquerade) {
        // The source port is chosen when the connection is made.
        answer.translated_from = to_string(IpAddress(decision.to.src));
    }
    if (!decision.makes_flow) return;
    explain_reply(live, names, question, decision, answer);
    const auto verdict = answer.verdict;
    if (verdict != ExplainVerdict::kForward && verdict != ExplainVerdict::kHost) return;
    remark_carrier(live.shortcut, question.protocol, question.port, answer.out_port_id,
                   answer.trace);
}

}  // namespace

Result<Explanation> explain(const LiveView& live, const ExplainRequest& request) {
    const PortNames names(live.dataplane);
    auto question = resolve_question(live, names, request);
    if (!question.ok()) return question.error();
    Answer answer;
    answer.bytes = request.bytes;
    answer.is_v4 = question->dst.is_v4();
    answer.any_source_port = !request.source_port.has_value();
    answer.trace.step("rx", question->where, question->why);
    if (question->dst.is_v4()) {
        explain_path<V4>(live, names, *question, answer);
    } else {
        explain_path<V6>(live, names, *question, answer);
    }
    explain_existing(live, *question, !request.source_port.has_value(), answer);
    answer.steps = std::move(answer.trace.steps);
    answer.out_port = names.name(answer.out_port_id);
    return Explanation(std::move(answer));
}

}  // namespace podlane::control
