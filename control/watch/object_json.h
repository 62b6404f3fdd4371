// The parsed form behind watched_object.h, for those who have the JSON as a tree already.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "control/watch/resource.h"
#include "control/watch/watched_object.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Text of the API server as a tree, without metadata.managedFields; discarded() if it is no JSON.
[[nodiscard]] nlohmann::json parse_server_json(std::string_view text);

/// An item of a list or the object of a watch event, which it takes apart. An Error names the kind
/// and what lacks.
[[nodiscard]] Result<WatchedObject> cut_down(const Resource& resource, nlohmann::json object);

}  // namespace podlane::control
