// Filters in pcap's syntax (pcap-filter(7)), compiled by libpcap to what a probe runs.
//
// podlanectl compiles them, because resolving the names in a filter may take long.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/border/probe.h"

namespace podlane::control {

/// For Ethernet frames. No program for an empty text, which matches every frame.
[[nodiscard]] Result<std::vector<FilterInstruction>> compile_filter(const std::string& text);

}  // namespace podlane::control
