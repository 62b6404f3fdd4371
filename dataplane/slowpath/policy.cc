// NetworkPolicies beyond a connection's first packet: for existing connections, and for packets
// that make no flow.
#include "lib/decide/policy.h"

#include "dataplane/slowpath/slow_path.h"

namespace podlane::dataplane {

namespace {

/// As policy_query_of() asks.
template <Family F>
PortKind opened_from(const Snapshot& snapshot, const Connection<F>& connection) noexcept {
    if ((connection.original().flags & kEntryFromNode) != 0) return PortKind::kHost;
    const uint16_t ingress = connection.original().current_hop().ingress;
    const bool is_by_uplink =
        ingress < kMaxPorts && snapshot.port(PortId{ingress}).kind == PortKind::kUplink;
    return is_by_uplink ? PortKind::kUplink : PortKind::kPod;
}

}  // namespace

template <Family F>
Drop judge_connection(const Snapshot& snapshot, const Connection<F>& connection,
                      bool& isolated) noexcept {
    isolated = false;
    if (!snapshot.has_policies()) return Drop::kNone;
    const FlowKey<F>& reply = connection.reply().key;
    FlowKey<F> asked = connection.original().key;
    asked.dst = reply.src;
    asked.dst_port = reply.src_port;
    const auto query = policy_query_of<F>(snapshot, asked, opened_from(snapshot, connection));
    isolated = snapshot.polices(query.from) || snapshot.polices(query.to);
    NoTrace trace;
    return judge_policies(snapshot, query, trace);
}

template <Family F>
Drop judge_packet(const WorkerCtx& ctx, const Packet& packet, const FlowKey<F>& key,
                  PortId to) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    if (!snapshot.has_policies()) return Drop::kNone;
    const auto query = policy_query(snapshot, arrival_of(ctx, packet), key, to);
    NoTrace trace;
    return judge_policies(snapshot, query, trace);
}

Drop judge_frame(const WorkerCtx& ctx, const Packet& packet, PortId to) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    if (packet.headers.ip_version == V4::kVersion) {
        return judge_packet<V4>(ctx, packet, packet.key<V4>(), to);
    }
    if (packet.headers.ip_version == V6::kVersion) {
        return judge_packet<V6>(ctx, packet, packet.key<V6>(), to);
    }
    const auto& sender = snapshot.pod_policies[index_of(packet.in_port)];
    const auto& receiver = snapshot.pod_policies[index_of(to)];
    if (sender && !sender->egress.empty()) return Drop::kPolicyEgress;
    return receiver && !receiver->ingress.empty() ? Drop::kPolicyIngress : Drop::kNone;
}

template Drop judge_connection<V4>(const Snapshot&, const Connection<V4>&, bool&) noexcept;
template Drop judge_connection<V6>(const Snapshot&, const Connection<V6>&, bool&) noexcept;
template Drop judge_packet<V4>(const WorkerCtx&, const Packet&, const FlowKey<V4>&,
                               PortId) noexcept;
template Drop judge_packet<V6>(const WorkerCtx&, const Packet&, const FlowKey<V6>&,
                               PortId) noexcept;

}  // namespace podlane::dataplane
