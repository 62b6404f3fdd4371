// SCTP's checksum after a change of ports, without reading the packet.
//
// SCTP's CRC32c covers ports and payload but no address. A CRC is linear, so its change follows
// from the change of the first four bytes alone: neither payload nor old checksum is needed,
// chained buffers do not matter, and a packet that came corrupted leaves corrupted. Called by
// apply_rewrite(); any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace podlane {

namespace detail {

/// a * b modulo CRC32c's polynomial (RFC 9260 appendix A), bits reflected: x^0 is the top bit.
[[nodiscard]] constexpr uint32_t crc32c_multiply(uint32_t a, uint32_t b) noexcept {
    uint32_t product = 0;
    for (unsigned i = 0; i < 32; ++i) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = (b >> 1) ^ (0x82f63b78u & (0u - (b & 1)));
    }
    return product;
}

/// x^(8 * 2^k) for each k: multiplying by it moves a remainder up by 2^k bytes.
inline constexpr auto kCrc32cShifts = [] {
    std::array<uint32_t, 17> shifts{};
    shifts[0] = 0x80000000u >> 8;
    for (unsigned k = 1; k < shifts.size(); ++k) {
        shifts[k] = crc32c_multiply(shifts[k - 1], shifts[k - 1]);
    }
    return shifts;
}();

}  // namespace detail

/// What to XOR to the checksum field of a packet of `packet_bytes` (common header to end, below
/// 2^17) when its first four bytes, the ports, change by `ports_xor`. Both are numbers as loaded
/// from memory on a little-endian machine. A few hundred cycles.
[[nodiscard]] constexpr uint32_t sctp_checksum_change(uint32_t ports_xor,
                                                      uint32_t packet_bytes) noexcept {
    static_assert(std::endian::native == std::endian::little);
    // The four bytes, moved up by those that follow them and by the 32 bits that a CRC appends.
    uint32_t remainder = ports_xor;
    for (unsigned k = 0; packet_bytes != 0 && k < detail::kCrc32cShifts.size(); ++k) {
        if ((packet_bytes & 1) != 0) {
            remainder = detail::crc32c_multiply(remainder, detail::kCrc32cShifts[k]);
        }
        packet_bytes >>= 1;
    }
    return remainder;
}

}  // namespace podlane
