// Reads the files of podlanectl's -f: files, folders and standard input.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

/// A text and its name. Not the document tree of control/document, which has the name as well.
struct TextDocument {
    std::string name;  ///< what errors call it: the path as given, or "stdin"
    std::string text;  ///< UTF-8
};

struct ReadDocuments {
    std::vector<TextDocument> documents;
    std::vector<std::string> notices;  ///< files of folders that were passed over, a line each
};

/// Reads `paths` in order. A folder gives its manifests (control/kube/manifests.h), those that hold
/// no objects left out with a notice; "-" is `in`. An Error names the path.
[[nodiscard]] Result<ReadDocuments> read_documents(const std::vector<std::string>& paths,
                                                   std::istream& in);

}  // namespace podlane::control
