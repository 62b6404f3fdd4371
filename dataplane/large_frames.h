// Frames that hold several packets of one flow: TSO and USO of pods, and what Join puts together.
//
// They pass all stages as one packet and are cut where they leave by a port that does not take
// them. Their checksum is partial, and their segments' size stands in the mbuf's TapMarks until Tx.
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

/// Judges what a TAP's header says of a parsed frame, which may come from anybody: sets the
/// packet's checksum state and kLarge, finishes a checksum at another place than TCP's or UDP's.
/// The reason to drop it, or Drop::kNone.
[[nodiscard]] Drop judge_tap_marks(Packet& packet) noexcept;

/// The IP bytes of a kLarge packet's largest piece.
[[nodiscard]] inline uint32_t piece_l3_bytes(const Packet& packet) noexcept {
    return uint32_t{packet.headers.payload_offset} - packet.headers.l3_offset +
           tap_marks(*packet.mbuf).segment_bytes;
}

/// Whether no packet that it holds is larger than `mtu`, where the whole of it is.
[[nodiscard]] inline bool fits_in_pieces(const Packet& packet, uint32_t mtu) noexcept {
    return packet.is(kLarge) && piece_l3_bytes(packet) <= mtu;
}

/// Whether `port` takes a kLarge packet as it is.
[[nodiscard]] inline bool takes_whole(const Port& port, const Packet& packet) noexcept {
    return packet.headers.protocol == kProtocolTcp ? port.caps.tx_tso : port.takes_large_udp;
}

/// Cuts a kLarge packet and gives its pieces to `give` in order: copies of `packet` with their own
/// mbuf and headers, the checksum partial, which `give` makes an end of. Frees the packet. Without
/// buffers for all of them the rest is lost, and counted.
void cut(WorkerCtx& ctx, Packet& packet, void (*give)(WorkerCtx&, Packet& piece)) noexcept;

}  // namespace podlane::dataplane
