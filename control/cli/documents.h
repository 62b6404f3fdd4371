// Reads the files of podlanectl's -f: files, folders and standard input.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

struct Document {
    std::string name;  ///< what errors call it: the path as given, or "stdin"
    std::string text;  ///< UTF-8
};

/// Reads `paths` in order. A folder gives its *.yaml, *.yml and *.json files in the order of their
/// names, without its own folders; "-" is `in`. An Error names the path.
[[nodiscard]] Result<std::vector<Document>> read_documents(const std::vector<std::string>& paths,
                                                           std::istream& in);

}  // namespace podlane::control
