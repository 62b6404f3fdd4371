// Folders of manifests: which of their files are read, and which of these hold objects at all.
//
// podlanectl's -f and podlaned's `objects:` read folders by it; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

/// The folder's *.yaml, *.yml and *.json files in the order of their names, without subfolders;
/// empty if it has none. An Error names the folder.
[[nodiscard]] Result<std::vector<std::string>> manifests_in(const std::string& folder);

/// False if no document of `text` has an apiVersion or a kind: then it is some program's
/// configuration, not an object. True for text that cannot be read, so that its reader reports why.
[[nodiscard]] bool holds_objects(std::string_view text, std::string_view name);

/// The line that says that a file was passed over.
[[nodiscard]] std::string no_objects_notice(std::string_view name);

}  // namespace podlane::control
