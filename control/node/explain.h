// `explain`: what would happen to a packet, step by step, and why. Changes nothing.
//
// Runs the same decision function as the workers (lib/decide/decide.h) on the live snapshot, and
// adds its context: where the packet comes in, the bridge, the next hop, the reply's path, and an
// existing connection if there is one. Called by the node, control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/node/live_view.h"
#include "control/show/answers.h"
#include "lib/base/result.h"

namespace podlane::control {

struct ExplainRequest {
    std::string from;      ///< "namespace/pod", an address, or "port:NAME"
    std::string to;        ///< "10.96.0.10:80", "[fd00::a]:80", for ICMP without port
    std::string protocol;  ///< "tcp", "udp", "sctp" or "icmp"; empty: tcp
    std::optional<uint16_t> source_port;
    std::optional<uint32_t> bytes = std::nullopt;  ///< of the IP packet
};

/// An Error when the question makes no sense.
[[nodiscard]] Result<Explanation> explain(const LiveView& live, const ExplainRequest& request);

}  // namespace podlane::control
