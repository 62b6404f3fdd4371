#include <array>

#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "lib/decide/answer.h"
#include "lib/proto/nd_build.h"

namespace podlane::dataplane {

namespace {

void report_sender(WorkerCtx& ctx, PortId port, const NdMessage& message) noexcept {
    if (ctx.snapshot->port(port).kind != PortKind::kUplink || !message.has_mac) return;
    const bool advertisement = message.type == kNdNeighbourAdvertisement;
    const Ipv6Address& who = advertisement ? message.target : message.src;
    if (who.is_zero()) return;
    ctx.tell({EventKind::kNeighbourSeen, advertisement && (message.flags & kNdSolicited) != 0, port,
              message.mac, who});
}

/// Routers on the uplinks' links and the node's kernel find each other (RFC 4861 section 6).
bool is_router_discovery(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const PortKind from = ctx.snapshot->port(packet.in_port).kind;
    const uint8_t type = packet.headers.icmp_type;
    return (from == PortKind::kUplink && type == kNdRouterAdvertisement) ||
           (from == PortKind::kHost && type == kNdRouterSolicitation);
}

/// For router discovery, and for pods that talk to each other.
void bridge_or_drop(WorkerCtx& ctx, Packet& packet) noexcept {
    if (is_router_discovery(ctx, packet)) {
        flood(ctx, packet);
    } else if (ctx.snapshot->port(packet.in_port).kind != PortKind::kPod) {
        packet.drop(Drop::kNdHandled);
    } else if (packet.headers.has(Headers::kMulticastMac)) {
        flood(ctx, packet);
    } else if (packet.is(kToRouter)) {
        packet.drop(Drop::kNdHandled);
    } else {
        bridge(ctx, packet);
        if (packet.verdict == Verdict::kSlow) flood(ctx, packet);
    }
}

}  // namespace

void handle_nd(WorkerCtx& ctx, Packet& packet) noexcept {
    const uint8_t type = packet.headers.icmp_type;
    if (type != kNdNeighbourSolicitation && type != kNdNeighbourAdvertisement) {
        bridge_or_drop(ctx, packet);
        return;
    }
    NdMessage message{};
    const Drop bad = parse_nd(packet.head(), packet.headers, message);
    if (bad != Drop::kNone) {
        packet.drop(bad);
        return;
    }
    report_sender(ctx, packet.in_port, message);
    if (type == kNdNeighbourSolicitation) {
        const auto mac = answer_for<V6>(*ctx.snapshot, packet.in_port, message.target);
        // A duplicate address probe (source ::) is answered too: the answer is how a duplicate is
        // found.
        if (mac && !message.src.is_zero()) {
            std::array<uint8_t, kNdFrameBytes> frame;
            const MacAddress asker =
                message.has_mac ? message.mac : load<EthernetHeader>(packet.frame).src;
            const size_t bytes = build_nd_frame(
                frame, *mac, asker,
                nd_advertisement(
                    message, *mac,
                    *mac == ctx.snapshot->gateway_mac ? kNdRouter | kNdOverride : kNdOverride));
            send_bytes(ctx, packet.in_port, std::span(frame).first(bytes));
            consume(ctx, packet);
            return;
        }
    } else if (ctx.snapshot->port(packet.in_port).kind == PortKind::kUplink) {
        consume(ctx, packet);
        return;
    }
    bridge_or_drop(ctx, packet);
}

}  // namespace podlane::dataplane
