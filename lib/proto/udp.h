// UDP header: RFC 768; over IPv6: RFC 8200 section 8.1 and RFC 6935.
#pragma once

#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

struct UdpHeader {
    be16 src_port;
    be16 dst_port;
    be16 bytes;     // header and payload
    be16 checksum;  // 0: absent, for IPv4 and for tunnels
};
static_assert(sizeof(UdpHeader) == 8 && std::has_unique_object_representations_v<UdpHeader>);

}  // namespace podlane
