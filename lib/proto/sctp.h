// SCTP common header and chunk header: RFC 9260 sections 3.1 and 3.2.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

struct SctpHeader {
    be16 src_port;
    be16 dst_port;
    be32 verification_tag;
    be32 checksum;  // CRC32c of the whole packet, see sctp_checksum()
};
static_assert(sizeof(SctpHeader) == 12 && std::has_unique_object_representations_v<SctpHeader>);

struct SctpChunk {
    uint8_t type;
    uint8_t flags;
    be16 bytes;  // with this header, without the padding to four bytes
};
static_assert(sizeof(SctpChunk) == 4 && std::has_unique_object_representations_v<SctpChunk>);

inline constexpr uint8_t kSctpInit = 1;
inline constexpr uint8_t kSctpInitAck = 2;
inline constexpr uint8_t kSctpAbort = 6;
inline constexpr uint8_t kSctpShutdown = 7;
inline constexpr uint8_t kSctpShutdownAck = 8;
inline constexpr uint8_t kSctpShutdownComplete = 14;

}  // namespace podlane
