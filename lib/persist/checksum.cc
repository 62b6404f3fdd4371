#include "lib/persist/checksum.h"

#include <nmmintrin.h>

#include <cstring>

namespace podlane {

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc) noexcept {
    uint64_t sum = ~crc;
    while (bytes.size() >= sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof(word));
        sum = _mm_crc32_u64(sum, word);
        bytes = bytes.subspan(sizeof(word));
    }
    auto out = static_cast<uint32_t>(sum);
    for (const std::byte byte : bytes) out = _mm_crc32_u8(out, static_cast<uint8_t>(byte));
    return ~out;
}

}  // namespace podlane
