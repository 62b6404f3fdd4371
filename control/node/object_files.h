// The objects of `objects:` in the node's configuration: files and folders of manifests.
//
// Read once at start, on the control thread.
#pragma once

#include <string>
#include <vector>

#include "control/kube/parse.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Parses the named files, and of named folders every *.yaml, *.yml and *.json in the order of
/// their names (folders within folders are passed over). The first error ends it.
[[nodiscard]] Result<ParsedObjects> parse_object_files(const std::vector<std::string>& paths);

}  // namespace podlane::control
