// Where a key is in the configuration's file, for errors that are found after it was read: a
// missing device, an interface that cannot be created.
//
// Used when a start fails; control thread.
#pragma once

#include <string>
#include <string_view>

#include "control/config/node_config.h"

namespace podlane::control {

/// "FILE:LINE:COL: PATH" of a key such as "uplinks[0].device"; "FILE: PATH" where the file does not
/// have it (a default), or cannot be read any more.
[[nodiscard]] std::string config_place(const std::string& file, std::string_view path);

/// The path of an uplink's device by the uplink's name, "uplinks[0].device"; "uplinks" for others.
[[nodiscard]] std::string uplink_device_path(const NodeConfig& config, std::string_view name);

}  // namespace podlane::control
