#include "dataplane/ports/tap_io.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "lib/proto/ip_protocol.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/virtio_net.h"

namespace podlane::dataplane {

namespace {

/// Buffers that one frame may span: 64 KiB in rooms of 2 KiB, and one to spare.
constexpr unsigned kMaxSegments = 34;

/// Buffers for one frame, kept between reads so that an empty queue costs no allocation.
struct Stash {
    std::array<rte_mbuf*, kMaxSegments> buffers{};
    unsigned count = 0;
};

/// Notes in the mbuf what the header says: RX flags for the parser, lengths for a later segmenter.
void take_header(rte_mbuf& mbuf, const VirtioNetHeader& header) noexcept {
    if ((header.flags & kVirtioNeedsChecksum) != 0) {
        mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
    } else if ((header.flags & kVirtioDataValid) != 0) {
        mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
    if (header.gso_type != kVirtioGsoNone) {
        mbuf.ol_flags |= RTE_MBUF_F_RX_LRO;
        mbuf.tso_segsz = header.gso_bytes;
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
    if ((mbuf.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
        header.gso_type =
            (mbuf.ol_flags & RTE_MBUF_F_TX_IPV6) != 0 ? kVirtioGsoTcp6 : kVirtioGsoTcp4;
        header.gso_bytes = mbuf.tso_segsz;
        header.header_bytes = static_cast<uint16_t>(mbuf.l2_len + mbuf.l3_len + mbuf.l4_len);
    }
    return header;
}

/// Gives the `bytes` of one frame to as many of the stash's buffers as it takes, chained.
rte_mbuf* chain(Stash& stash, size_t bytes) noexcept {
    rte_mbuf* head = stash.buffers[0];
    head->pkt_len = static_cast<uint32_t>(bytes);
    rte_mbuf* last = nullptr;
    unsigned used = 0;
    while (bytes > 0) {
        rte_mbuf* segment = stash.buffers[used++];
        const size_t room = rte_pktmbuf_tailroom(segment);
        segment->data_len = static_cast<uint16_t>(bytes < room ? bytes : room);
        bytes -= segment->data_len;
        if (last != nullptr) last->next = segment;
        last = segment;
    }
    head->nb_segs = static_cast<uint16_t>(used);
    // What was not used serves the next frame.
    for (unsigned i = used; i < stash.count; ++i) stash.buffers[i - used] = stash.buffers[i];
    stash.count -= used;
    return head;
}

bool fill(Stash& stash, unsigned segments, rte_mempool& pool) noexcept {
    while (stash.count < segments) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(&pool);
        if (mbuf == nullptr) return false;
        stash.buffers[stash.count++] = mbuf;
    }
    return true;
}

}  // namespace

TapReceive tap_receive(const Port& port, unsigned worker, rte_mempool& pool, rte_mbuf** out,
                       unsigned room) noexcept {
    TapReceive result;
    Stash stash;
    const int fd = port.tap_fds[worker];
    while (result.count < room) {
        if (!fill(stash, port.rx_segments, pool)) {
            result.no_mbuf = true;
            break;
        }
        VirtioNetHeader header{};
        std::array<iovec, kMaxSegments + 1> parts;
        parts[0] = {&header, port.vnet_header_bytes};
        for (unsigned i = 0; i < port.rx_segments; ++i) {
            rte_mbuf* mbuf = stash.buffers[i];
            parts[i + 1] = {rte_pktmbuf_mtod(mbuf, void*), rte_pktmbuf_tailroom(mbuf)};
        }
        const ssize_t got = readv(fd, parts.data(), static_cast<int>(port.rx_segments) + 1);
        if (got <= port.vnet_header_bytes) {
            result.lost = got < 0 && errno == EBADFD;  // its namespace was destroyed
            break;
        }
        rte_mbuf* frame = chain(stash, static_cast<size_t>(got) - port.vnet_header_bytes);
        take_header(*frame, header);
        out[result.count++] = frame;
    }
    result.more = result.count == room;
    for (unsigned i = 0; i < stash.count; ++i) rte_pktmbuf_free(stash.buffers[i]);
    return result;
}

unsigned tap_send(const Port& port, unsigned worker, rte_mbuf** frames, unsigned count) noexcept {
    const int fd = port.tap_fds[worker];
    unsigned sent = 0;
    for (; sent < count; ++sent) {
        rte_mbuf* frame = frames[sent];
        VirtioNetHeader header = make_header(*frame);
        std::array<iovec, kMaxSegments + 1> parts;
        parts[0] = {&header, port.vnet_header_bytes};
        int used = 1;
        for (rte_mbuf* part = frame; part != nullptr && used <= static_cast<int>(kMaxSegments);
             part = part->next) {
            parts[static_cast<size_t>(used++)] = {rte_pktmbuf_mtod(part, void*), part->data_len};
        }
        ssize_t done = 0;
        do {
            done = writev(fd, parts.data(), used);
        } while (done < 0 && errno == EINTR);
        // A TAP whose interface is down refuses with EIO: such frames are lost, not queued.
        if (done < 0) break;
    }
    for (unsigned i = 0; i < sent; ++i) rte_pktmbuf_free(frames[i]);
    return sent;
}

}  // namespace podlane::dataplane
