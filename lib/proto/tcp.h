// TCP header: RFC 9293 section 3.1.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;
inline constexpr uint8_t kTcpUrg = 0x20;
inline constexpr uint8_t kTcpEce = 0x40;
inline constexpr uint8_t kTcpCwr = 0x80;

struct TcpHeader {
    be16 src_port;
    be16 dst_port;
    be32 sequence;
    be32 acknowledgment;
    uint8_t data_offset;  // header length in words of four bytes, in the upper four bits
    uint8_t flags;
    be16 window;
    be16 checksum;
    be16 urgent;

    [[nodiscard]] constexpr unsigned header_bytes() const noexcept {
        return (data_offset >> 4) * 4u;
    }
};
static_assert(sizeof(TcpHeader) == 20 && std::has_unique_object_representations_v<TcpHeader>);

}  // namespace podlane
