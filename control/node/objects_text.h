// A text with Kubernetes objects, as it comes to the node model.
#pragma once

#include <string_view>

namespace podlane::control {

/// Views; they hold for the call.
struct ObjectsText {
    std::string_view name;  ///< what errors call it
    std::string_view text;  ///< YAML or JSON, any number of documents
};

}  // namespace podlane::control
