#include "lib/proto/arp_build.h"

#include <array>

#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "lib/decide/answer.h"
#include "lib/proto/nd_build.h"

namespace podlane::dataplane {

namespace {

/// Control has to know the neighbours on an uplink; the addresses of pods are fixed.
void report_sender(WorkerCtx& ctx, PortId port, const ArpMessage& message) noexcept {
    if (ctx.snapshot->port(port).kind != PortKind::kUplink || message.sender.is_zero()) return;
    ctx.tell({EventKind::kNeighbourSeen, message.operation == kArpReply, port, message.sender_mac,
              message.sender});
}

void bridge_or_flood(WorkerCtx& ctx, Packet& packet, Drop unanswered) noexcept {
    if (ctx.snapshot->port(packet.in_port).kind != PortKind::kPod) {
        packet.drop(unanswered);
    } else if (packet.headers.has(Headers::kMulticastMac)) {
        flood(ctx, packet);
    } else if (packet.is(kToRouter)) {
        packet.drop(unanswered);
    } else {
        bridge(ctx, packet);
        if (packet.verdict == Verdict::kSlow) flood(ctx, packet);
    }
}

}  // namespace

void handle_arp(WorkerCtx& ctx, Packet& packet) noexcept {
    ArpMessage message{};
    const Drop bad = parse_arp(packet.head(), packet.headers.l3_offset, message);
    if (bad != Drop::kNone) {
        packet.drop(bad);
        return;
    }
    report_sender(ctx, packet.in_port, message);
    if (message.operation == kArpRequest && !message.is_gratuitous()) {
        const auto mac = answer_for<V4>(*ctx.snapshot, packet.in_port, message.target);
        if (mac) {
            std::array<uint8_t, kArpFrameBytes> frame;
            (void)build_arp_frame(frame, arp_reply(message, *mac));
            send_bytes(ctx, packet.in_port, frame);
            consume(ctx, packet);
            return;
        }
    }
    const bool learned = ctx.snapshot->port(packet.in_port).kind == PortKind::kUplink &&
                         message.operation == kArpReply;
    if (learned) {
        consume(ctx, packet);
    } else {
        bridge_or_flood(ctx, packet, Drop::kArpHandled);
    }
}

namespace {

/// Sends the frame to all pods except the one that it announces.
void send_to_pods(WorkerCtx& ctx, PortId from, std::span<const uint8_t> frame) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
    if (mbuf == nullptr) {
        lose_unmade(ctx);
        return;
    }
    ctx.counters->made.add(1);
    char* const room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
    std::copy(frame.begin(), frame.end(), reinterpret_cast<uint8_t*>(room));
    Packet packet = make_packet(mbuf, from);
    packet.to_slow(SlowReason::kArp);
    flood(ctx, packet);
    // A node's first pod has no other pod to tell.
    if (packet.verdict == Verdict::kDrop) consume(ctx, packet);
}

}  // namespace

void execute_neighbour_command(WorkerCtx& ctx, const Command& command) noexcept {
    std::array<uint8_t, 128> frame;
    size_t bytes = 0;
    const bool announce = command.kind != CommandKind::kSolicit;
    if (command.address.is_v6) {
        const auto target = command.address.to_ip().as<V6>();
        NdMessage message =
            announce ? nd_announcement(command.our_mac, target, kNdOverride)
                     : nd_solicitation(command.our_mac, command.source.to_ip().as<V6>(), target);
        // A known neighbour is probed by unicast (RFC 4861 section 7.3.3).
        if (!announce && !command.mac.is_zero()) message.dst = target;
        bytes = build_nd_frame(frame, command.our_mac, command.mac, message);
    } else {
        const auto target = command.address.to_ip().as<V4>();
        const ArpMessage message =
            announce ? arp_announcement(command.our_mac, target)
                     : arp_request(command.our_mac, command.source.to_ip().as<V4>(), target);
        bytes = announce || command.mac.is_zero() ? build_arp_frame(frame, message)
                                                  : build_arp_frame(frame, message, command.mac);
    }
    if (bytes == 0) return;
    if (command.kind == CommandKind::kAnnouncePod) {
        send_to_pods(ctx, command.port, std::span(frame).first(bytes));
    } else {
        send_bytes(ctx, command.port, std::span(frame).first(bytes));
    }
}

}  // namespace podlane::dataplane
