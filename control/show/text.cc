#include "control/show/text.h"

#include <fmt/format.h>

#include "lib/proto/ip_protocol.h"

namespace podlane::control {

std::string protocol_text(uint8_t protocol) {
    switch (protocol) {
        case kProtocolIcmp:
            return "ICMP";
        case kProtocolTcp:
            return "TCP";
        case kProtocolUdp:
            return "UDP";
        case kProtocolIcmpv6:
            return "ICMPv6";
        case kProtocolSctp:
            return "SCTP";
        default:
            return fmt::format("{}", protocol);
    }
}

std::string endpoint_text(const IpAddress& address, uint16_t port) {
    return port == 0 ? to_string(address) : to_string(address, port);
}

}  // namespace podlane::control
