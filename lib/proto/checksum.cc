#include "lib/proto/checksum.h"

#include "lib/proto/sctp.h"
#include "lib/proto/wire.h"

namespace podlane {
namespace {

using Bytes = std::span<const uint8_t>;
using Segments = std::span<const Bytes>;

constexpr uint32_t fold_to_32(uint64_t sum) noexcept {
    sum = (sum & 0xffffffff) + (sum >> 32);
    return static_cast<uint32_t>((sum & 0xffffffff) + (sum >> 32));
}

// Two 64-bit lanes; both compilers map this to one SSE register.
using Lanes = uint64_t __attribute__((vector_size(16)));

// The last 0 to 31 bytes, in steps of sizes that the compiler knows.
uint64_t sum_tail(const uint8_t* at, size_t bytes) noexcept {
    uint64_t sum = 0;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        const auto words = load<uint64_t>(at);
        sum += (words & 0xffffffff) + (words >> 32);
    }
    if ((bytes & 4) != 0) {
        sum += load<uint32_t>(at);
        at += 4;
    }
    if ((bytes & 2) != 0) {
        sum += load<uint16_t>(at);
        at += 2;
    }
    return (bytes & 1) != 0 ? sum + *at : sum;
}

uint16_t swap_bytes(uint16_t sum) noexcept {
    return byte_swap(sum);
}

// A segment at an odd offset sums its bytes in the wrong halves of the words; swapping the halves
// of its folded sum corrects that (RFC 1071 section 2 B).
uint32_t sum_segments(Segments segments, uint32_t sum) noexcept {
    bool odd = false;
    for (const Bytes segment : segments) {
        const uint16_t part = checksum_fold_sum(checksum_partial(segment));
        sum = checksum_add(sum, odd ? swap_bytes(part) : part);
        odd ^= (segment.size() & 1) != 0;
    }
    return sum;
}

template <Family F>
uint32_t initial_sum(const typename F::Address& src, const typename F::Address& dst,
                     uint8_t protocol, size_t l4_bytes) noexcept {
    if (std::same_as<F, V4> && (protocol == kProtocolIcmp || protocol == kProtocolIgmp)) return 0;
    return pseudo_header_sum<F>(src, dst, protocol, static_cast<uint32_t>(l4_bytes));
}

be16 field_for(uint8_t protocol, uint32_t sum) noexcept {
    const be16 field = checksum_fold(sum);
    return protocol == kProtocolUdp ? udp_checksum_on_wire(field) : field;
}

be32 sctp_field(uint32_t crc) noexcept {
    // RFC 9260 appendix A sends the lowest byte first.
    return be32(byte_swap(~crc));
}

// CRC32c of a packet's first segment with the checksum field taken as zero.
uint32_t crc_of_first(Bytes first) noexcept {
    constexpr size_t kField = offsetof(SctpHeader, checksum);
    constexpr std::array<uint8_t, 4> kZero{};
    const uint32_t crc = crc32c(kZero, crc32c(first.first(kField)));
    return crc32c(first.subspan(sizeof(SctpHeader)), crc);
}

}  // namespace

uint32_t checksum_partial(Bytes bytes, uint32_t sum) noexcept {
    // Each lane adds 32-bit words into 64 bits: no carry is lost below 2^32 words, and the order of
    // the two halves of a load does not matter.
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    Lanes low{}, high{};
    for (; left >= 32; at += 32, left -= 32) {
        const auto a = load<Lanes>(at);
        const auto b = load<Lanes>(at + 16);
        low += (a & 0xffffffff) + (b & 0xffffffff);
        high += (a >> 32) + (b >> 32);
    }
    const Lanes total = low + high;
    return fold_to_32(uint64_t{sum} + total[0] + total[1] + sum_tail(at, left));
}

be16 complete_partial_checksum(Bytes l4) noexcept {
    return checksum_fold(checksum_partial(l4));
}

be16 complete_partial_checksum(Segments l4_segments) noexcept {
    return checksum_fold(sum_segments(l4_segments, 0));
}

template <Family F>
be16 l4_checksum(const typename F::Address& src, const typename F::Address& dst, uint8_t protocol,
                 Bytes l4) noexcept {
    return field_for(protocol, checksum_partial(l4, initial_sum<F>(src, dst, protocol, l4.size())));
}

template <Family F>
be16 l4_checksum(const typename F::Address& src, const typename F::Address& dst, uint8_t protocol,
                 Segments l4_segments) noexcept {
    size_t l4_bytes = 0;
    for (const Bytes segment : l4_segments) l4_bytes += segment.size();
    return field_for(protocol,
                     sum_segments(l4_segments, initial_sum<F>(src, dst, protocol, l4_bytes)));
}

template <Family F>
bool l4_checksum_ok(const typename F::Address& src, const typename F::Address& dst,
                    uint8_t protocol, Bytes l4) noexcept {
    const uint32_t sum = checksum_partial(l4, initial_sum<F>(src, dst, protocol, l4.size()));
    return checksum_fold_sum(sum) == 0xffff;
}

template be16 l4_checksum<V4>(const Ipv4Address&, const Ipv4Address&, uint8_t, Bytes) noexcept;
template be16 l4_checksum<V6>(const Ipv6Address&, const Ipv6Address&, uint8_t, Bytes) noexcept;
template be16 l4_checksum<V4>(const Ipv4Address&, const Ipv4Address&, uint8_t, Segments) noexcept;
template be16 l4_checksum<V6>(const Ipv6Address&, const Ipv6Address&, uint8_t, Segments) noexcept;
template bool l4_checksum_ok<V4>(const Ipv4Address&, const Ipv4Address&, uint8_t, Bytes) noexcept;
template bool l4_checksum_ok<V6>(const Ipv6Address&, const Ipv6Address&, uint8_t, Bytes) noexcept;

be16 ipv4_header_checksum(Bytes header) noexcept {
    return checksum_fold(checksum_partial(header));
}

bool ipv4_header_checksum_ok(Bytes header) noexcept {
    return checksum_fold_sum(checksum_partial(header)) == 0xffff;
}

uint32_t crc32c(Bytes bytes, uint32_t crc) noexcept {
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    uint64_t wide = crc;
    for (; left >= 8; at += 8, left -= 8) wide = __builtin_ia32_crc32di(wide, load<uint64_t>(at));
    auto value = static_cast<uint32_t>(wide);
    for (; left != 0; ++at, --left) value = __builtin_ia32_crc32qi(value, *at);
    return value;
}

be32 sctp_checksum(Bytes packet) noexcept {
    return sctp_field(crc_of_first(packet));
}

be32 sctp_checksum(Segments segments) noexcept {
    uint32_t crc = crc_of_first(segments.front());
    for (const Bytes segment : segments.subspan(1)) crc = crc32c(segment, crc);
    return sctp_field(crc);
}

}  // namespace podlane
