#include "dataplane/ports/tap_io.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "dataplane/packet.h"
#include "dataplane/ports/tap_marks.h"
#include "lib/base/bytes.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"

namespace podlane::dataplane {

namespace {

/// About how much one call reads at most. The kernel copies large frames twice, and should find
/// them in the cache the second time.
constexpr uint32_t kMostBytes = 256 * 1024;
/// Reads at once if large frames are coming.
constexpr unsigned kFewReads = 4;
/// Reads at once if next to nothing is coming: one frame, and one read that finds the queue empty.
constexpr unsigned kLeastReads = 2;

/// Records in the mbuf what the header says.
void take_header(rte_mbuf& mbuf, const VirtioNetHeader& header) noexcept {
    const bool partial = (header.flags & kVirtioNeedsChecksum) != 0;
    const bool large = header.gso_type != kVirtioGsoNone;
    if (partial || large) {
        mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | (large ? RTE_MBUF_F_RX_LRO : 0);
        set_tap_marks(mbuf, {header.checksum_start, header.checksum_offset, header.gso_bytes,
                             header.gso_type, 0});
    } else if ((header.flags & kVirtioDataValid) != 0) {
        mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
}

VirtioNetHeader make_header(const rte_mbuf& mbuf) noexcept {
    VirtioNetHeader header{};
    const uint64_t l4 = mbuf.ol_flags & RTE_MBUF_F_TX_L4_MASK;
    if (l4 == RTE_MBUF_F_TX_TCP_CKSUM || l4 == RTE_MBUF_F_TX_UDP_CKSUM) {
        header.flags = kVirtioNeedsChecksum;
        header.checksum_start = static_cast<uint16_t>(mbuf.l2_len + mbuf.l3_len);
        header.checksum_offset =
            static_cast<uint16_t>(l4 == RTE_MBUF_F_TX_TCP_CKSUM ? offsetof(TcpHeader, checksum)
                                                                : offsetof(UdpHeader, checksum));
    }
    if ((mbuf.ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) != 0) {
        const bool v6 = (mbuf.ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
        const bool udp = (mbuf.ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0;
        header.gso_type = udp ? kVirtioGsoUdpL4 : v6 ? kVirtioGsoTcp6 : kVirtioGsoTcp4;
        header.gso_bytes = mbuf.tso_segsz;
        header.header_bytes = static_cast<uint16_t>(mbuf.l2_len + mbuf.l3_len + mbuf.l4_len);
    }
    return header;
}

}  // namespace

TapIo::~TapIo() {
    for (Slot& slot : slots_) {
        for (unsigned i = 0; i < slot.count; ++i) rte_pktmbuf_free(slot.rest[i]);
    }
}

bool TapIo::fill(Slot& slot, const Port& port, const FramePools& pools) noexcept {
    slot.head = rte_pktmbuf_alloc(pools.usual);
    if (slot.head == nullptr) return false;
    const uint32_t room = rte_pktmbuf_tailroom(slot.head);
    // The header goes into the headroom, right before the frame.
    slot.parts[0] = {rte_pktmbuf_mtod(slot.head, uint8_t*) - port.vnet_header_bytes,
                     size_t{room} + port.vnet_header_bytes};
    while (room + slot.room < port.rx_frame_bytes && slot.count < slot.rest.size()) {
        rte_mbuf* mbuf = pools.large == nullptr ? nullptr : rte_pktmbuf_alloc(pools.large);
        if (mbuf == nullptr) mbuf = rte_pktmbuf_alloc(pools.usual);
        if (mbuf == nullptr) return false;
        slot.room += rte_pktmbuf_tailroom(mbuf);
        slot.rest[slot.count++] = mbuf;
    }
    for (unsigned i = 0; i < slot.count; ++i) {
        slot.parts[i + 1] = {rte_pktmbuf_mtod(slot.rest[i], void*),
                             rte_pktmbuf_tailroom(slot.rest[i])};
    }
    return true;
}

/// Chains as many of the slot's buffers as a frame of `bytes` takes.
rte_mbuf* TapIo::Slot::take(uint32_t bytes) noexcept {
    rte_mbuf* const first = std::exchange(head, nullptr);
    const auto put = [&bytes](rte_mbuf* segment) {
        const uint32_t most = rte_pktmbuf_tailroom(segment);
        segment->data_len = static_cast<uint16_t>(std::min(bytes, most));
        bytes -= segment->data_len;
    };
    first->pkt_len = bytes;
    put(first);
    rte_mbuf* last = first;
    unsigned used = 0;
    while (bytes > 0) {
        rte_mbuf* const segment = rest[used++];
        room -= rte_pktmbuf_tailroom(segment);
        put(segment);
        last = last->next = segment;
    }
    if (used == 0) return first;
    first->nb_segs = static_cast<uint16_t>(used + 1);
    // Unused buffers serve the next frame.
    for (unsigned i = used; i < count; ++i) rest[i - used] = rest[i];
    count -= used;
    return first;
}

void TapIo::Slot::release(const rte_mempool* large) noexcept {
    rte_pktmbuf_free(std::exchange(head, nullptr));
    // Large buffers stay for the next call; ordinary ones may be needed elsewhere.
    if (std::all_of(rest.begin(), rest.begin() + count,
                    [large](const rte_mbuf* each) { return each->pool == large; })) {
        return;
    }
    for (unsigned i = 0; i < count; ++i) rte_pktmbuf_free(rest[i]);
    count = 0;
    room = 0;
}

unsigned TapIo::receive_some(const Port& port, int fd, unsigned wanted, const FramePools& pools,
                             rte_mbuf** out, TapReceive& result) noexcept {
    unsigned ready = 0;
    while (ready < wanted && fill(slots_[ready], port, pools)) {
        ring_.read(fd, {slots_[ready].parts.data(), slots_[ready].count + 1});
        ++ready;
    }
    result.no_mbuf = ready < wanted;
    unsigned got = 0;
    const std::span<const int32_t> results = ready > 0 ? ring_.run() : std::span<const int32_t>();
    for (unsigned i = 0; i < results.size(); ++i) {
        const int32_t bytes = results[i] - port.vnet_header_bytes;
        if (bytes <= 0) {
            result.lost = result.lost || results[i] == -EBADFD;  // its namespace was destroyed
            continue;
        }
        rte_mbuf* const frame = slots_[i].take(static_cast<uint32_t>(bytes));
        take_header(*frame, load<VirtioNetHeader>(rte_pktmbuf_mtod(frame, const uint8_t*) -
                                                  sizeof(VirtioNetHeader)));
        result.bytes += frame->pkt_len;
        out[got++] = frame;
    }
    for (unsigned i = 0; i < wanted; ++i) slots_[i].release(pools.large);
    return got;
}

TapReceive TapIo::receive(const Port& port, unsigned worker, const FramePools& pools,
                          rte_mbuf** out, unsigned room) noexcept {
    TapReceive result;
    uint8_t& expected = expected_[index_of(port.id)];
    unsigned wanted = std::clamp(expected + 1u, kLeastReads, kMostReads);
    while (result.count < room && result.bytes < kMostBytes) {
        wanted = std::min(wanted, room - result.count);
        const unsigned got =
            receive_some(port, port.tap_fds[worker], wanted, pools, out + result.count, result);
        result.count += got;
        if (got < wanted) break;
        if (result.bytes < kMostBytes / 4) wanted = std::min(2 * wanted, kMostReads);
    }
    const unsigned most = result.bytes < kMostBytes / 4 ? kMostReads : kFewReads;
    expected = static_cast<uint8_t>(std::min(result.count, most));
    return result;
}

std::span<const iovec> TapIo::parts_of(const rte_mbuf& frame, unsigned number,
                                       unsigned first) noexcept {
    const VirtioNetHeader header = make_header(frame);
    unsigned used = first;
    const rte_mbuf* part = &frame;
    if (rte_pktmbuf_headroom(&frame) >= sizeof(header)) {
        uint8_t* const before = rte_pktmbuf_mtod(&frame, uint8_t*) - sizeof(header);
        store(before, header);
        parts_[used++] = {before, sizeof(header) + frame.data_len};
        part = frame.next;
    } else {
        headers_[number] = header;
        parts_[used++] = {&headers_[number], sizeof(header)};
    }
    for (; part != nullptr; part = part->next) {
        parts_[used++] = {rte_pktmbuf_mtod(part, void*), part->data_len};
    }
    return {parts_.data() + first, used - first};
}

unsigned TapIo::send(const Port& port, unsigned worker, rte_mbuf** frames,
                     unsigned count) noexcept {
    const int fd = port.tap_fds[worker];
    std::array<rte_mbuf*, kBurst> refused;
    unsigned refused_count = 0;
    for (unsigned done = 0; done < count;) {
        unsigned used = 0, number = 0;
        while (done + number < count && number < TapRing::kMost &&
               used + frames[done + number]->nb_segs < kMostParts) {
            const auto parts = parts_of(*frames[done + number], number, used);
            ring_.write(fd, parts);
            used += static_cast<unsigned>(parts.size());
            ++number;
        }
        const std::span<const int32_t> results = ring_.run();
        for (const int32_t result : results) {
            // A TAP with its interface down refuses with EIO: such frames are lost, not queued.
            rte_mbuf* const frame = frames[done++];
            if (result < 0) {
                refused[refused_count++] = frame;
            } else {
                rte_pktmbuf_free(frame);
            }
        }
    }
    std::copy_n(refused.begin(), refused_count, frames + (count - refused_count));
    return count - refused_count;
}

}  // namespace podlane::dataplane
