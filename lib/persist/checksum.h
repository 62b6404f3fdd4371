// CRC-32C of data kept in files, to tell a whole record from a torn one.
//
// Any thread; stateless.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace podlane {

/// CRC-32C (RFC 3720 appendix B.4), continued from `crc`; 0 begins a new one.
[[nodiscard]] uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc = 0) noexcept;

}  // namespace podlane
