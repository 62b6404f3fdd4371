// CRC-32C of what is kept in files, to tell a whole record from a torn one.
//
// Any thread; it has no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace podlane {

/// CRC-32C (RFC 3720 appendix B.4), going on from `crc`; 0 begins a new one.
[[nodiscard]] uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc = 0) noexcept;

}  // namespace podlane
