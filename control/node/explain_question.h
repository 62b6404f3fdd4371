// The parsed question of `explain`: the packet, and where it comes in.
//
// Used by explain.cc alone; control thread.
#pragma once

#include <cstdint>
#include <string>

#include "control/node/explain.h"
#include "control/node/live_view.h"
#include "lib/base/result.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::control {

struct ExplainQuestion {
    IpAddress src, dst;
    uint16_t src_port = 0, dst_port = 0;  ///< host order; ICMP: identifier and 0
    uint8_t protocol = kProtocolTcp;
    PortKind from = PortKind::kPod;
    PortId port = kNoPort;  ///< where it comes in
    bool overlay = false;   ///< out of our tunnel
    std::string where;      ///< "port default/web"
    std::string why;        ///< "10.244.1.9 is pod default/web of this node"
};

/// Parses the words of a request. An Error says what is allowed.
[[nodiscard]] Result<ExplainQuestion> resolve_question(const LiveView& live, const PortNames& names,
                                                       const ExplainRequest& request);

}  // namespace podlane::control
