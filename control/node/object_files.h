// The objects of `objects:` in the node's configuration: files and folders of manifests.
//
// Read once at start, and by `--check`; on the control thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/parse.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Parses the named files, and of named folders every *.yaml, *.yml and *.json that holds objects,
/// in the order of their names (folders within folders are passed over); a notice names a file that
/// holds none. The first error ends it.
[[nodiscard]] Result<ParsedObjects> parse_object_files(const std::vector<std::string>& paths);

/// What `--check` says of the configuration's objects.
struct CheckedObjects {
    size_t count = 0;  ///< those that concern the dataplane
    std::vector<std::string> notices;
};

/// Parses and compiles them as a start would, without a port. An error is what would end the start.
[[nodiscard]] Result<CheckedObjects> check_object_files(const NodeConfig& config);

}  // namespace podlane::control
