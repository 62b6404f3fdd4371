// Frames that hold several packets of one flow: TSO and USO of pods, and what Join puts together.
//
// They pass all stages as one packet, and are cut when they leave by a port that cannot take them.
// Their checksum is partial, and their segments' size stands in the mbuf's TapMarks until Tx.
// Workers only.
#pragma once

#include <cstdint>

#include "dataplane/packet.h"
#include "dataplane/ports/port.h"
#include "dataplane/ports/tap_marks.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

/// More pieces than any sender has a reason for: 64 KiB at TCP's smallest segments of some 48
/// bytes are 1,366. Bounds what a pod's one frame can cost.
inline constexpr uint32_t kMostPieces = 2048;

/// Checks what a TAP's header says of a parsed frame, which is the sender's word only: sets the
/// packet's checksum state and kLarge, and finishes a checksum that is not TCP's or UDP's. Returns
/// the reason to drop the frame, or Drop::kNone.
[[nodiscard]] Drop judge_tap_marks(Packet& packet) noexcept;

/// The size of a kLarge packet's largest piece, from its IP header on.
[[nodiscard]] inline uint32_t piece_l3_bytes(const Packet& packet) noexcept {
    return uint32_t{packet.headers.payload_offset} - packet.headers.l3_offset +
           tap_marks(*packet.mbuf).segment_bytes;
}

/// Whether a packet that is larger than `mtu` is kLarge and has no piece larger than `mtu`.
[[nodiscard]] inline bool fits_in_pieces(const Packet& packet, uint32_t mtu) noexcept {
    return packet.is(kLarge) && piece_l3_bytes(packet) <= mtu;
}

/// Whether `port` takes a kLarge packet as it is.
[[nodiscard]] inline bool takes_whole(const Port& port, const Packet& packet) noexcept {
    return packet.headers.protocol == kProtocolTcp ? port.caps.tx_tso : port.takes_large_udp;
}

/// Cuts a kLarge packet and passes its pieces to `give` in order. Each is a copy of `packet` with
/// its own mbuf and headers and a partial checksum; `give` sends or frees it. Frees the packet. If
/// buffers run out, the remaining pieces are lost, and counted.
void cut(WorkerCtx& ctx, Packet& packet, void (*give)(WorkerCtx&, Packet& piece)) noexcept;

}  // namespace podlane::dataplane
