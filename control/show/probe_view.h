// What probes answer, as plain typed values: packets on their way, for `capture` and `trace`.
//
// The node model fills them, render.h makes JSON of them (docs/rpc.md, `probe.read`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/border/probe.h"

namespace podlane::control {

struct ProbeStarted {
    ProbeId probe = 0;
    std::vector<std::string> ports;  ///< that there are now: the interfaces of a capture's file
};

/// One record, with names in place of numbers.
struct PacketView {
    ProbeRecord record;
    std::string in_port, out_port;  ///< empty if there is none
    std::string flow;     ///< "TCP 10.244.1.10:4000 > 10.96.0.10:80"; empty: none, or not known
    std::string replies;  ///< its replies, in the same form
    std::string service;  ///< "shop/web", to which the flow goes
};

struct ProbeView {
    std::vector<PacketView> packets;
    uint64_t missed = 0;  ///< that fit, since the start, and were not taken
};

}  // namespace podlane::control
