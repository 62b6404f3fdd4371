// `get frontends`: what this node serves, as operators and programs read it. Control thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/model/snapshot.h"

namespace podlane::control {

/// An array, one element for each address, protocol and port at which the node serves a Service or
/// a host port: {service, portName, kind, address, protocol, port, inside, outside, whenEmpty,
/// affinitySeconds, sourceRanges}. Sorted by service, kind, protocol, port, address; both families.
/// With `service` ("namespace/name") only that one's.
[[nodiscard]] nlohmann::ordered_json frontends_json(const Snapshot& snapshot,
                                                    std::string_view service = {});

}  // namespace podlane::control
