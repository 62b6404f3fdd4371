// Filters in pcap's syntax (pcap-filter(7)), compiled by libpcap to what a probe runs.
//
// podlanectl compiles, since names in a filter are looked up, which takes its time.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/border/probe.h"

namespace podlane::control {

/// Of Ethernet frames. Nothing for an empty text, which is every frame.
[[nodiscard]] Result<std::vector<FilterInstruction>> compile_filter(const std::string& text);

}  // namespace podlane::control
