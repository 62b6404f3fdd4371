// What this node serves, row by row: `get frontends`. Control thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// Where a connection may be sent to.
struct ServedEndpoint {
    IpAddress address;
    uint16_t port = 0;  ///< host order

    friend auto operator<=>(const ServedEndpoint&, const ServedEndpoint&) = default;
};

/// An address, protocol and port at which the node serves a Service or a host port.
struct FrontendRow {
    std::string service;  ///< "namespace/name"
    std::string port_name;
    FrontendKind kind = FrontendKind::kClusterIp;
    std::optional<IpAddress> address;  ///< none: every address of the node
    uint8_t protocol = 0;              ///< IANA number
    uint16_t port = 0;                 ///< host order
    std::vector<ServedEndpoint> inside, outside;
    bool drop_when_empty = false;  ///< else it is rejected
    uint32_t affinity_seconds = 0;
    std::vector<IpPrefix> source_ranges;  ///< empty: all sources

    friend bool operator==(const FrontendRow&, const FrontendRow&) = default;
};

/// Sorted by service, kind, protocol, port, address; both families. With `service`
/// ("namespace/name") only that one's.
[[nodiscard]] std::vector<FrontendRow> frontend_rows(const Snapshot& snapshot,
                                                     std::string_view service = {});

}  // namespace podlane::control
