// Endpoints as kubectl knows them, of EndpointSlices, which API servers and feeders send instead.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace podlane::control {

/// Adds a v1 Endpoints to `items` for each Service of `slices` (items of `get endpointslices`) that
/// has none there. `only`: "namespace/name" of one Service; "" for all.
void add_endpoints_of_slices(const nlohmann::ordered_json& slices, std::string_view only,
                             nlohmann::ordered_json& items);

}  // namespace podlane::control
