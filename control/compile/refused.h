// The compiler's report about objects that are known but not served, or only in part.
//
// The node model asks the Compiler for them after each generation, for `get KIND` with `refused`,
// health and the log. Plain values; control thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "control/kube/meta.h"

namespace podlane::control {

/// What to do if two Services want the same clusterIP or nodePort, which an API server does not
/// allow: kRefuse refuses the change that causes it; kOlder serves the older one, and the younger
/// one takes its place when it goes.
enum class OnConflict : uint8_t { kRefuse, kOlder };

/// An object that is not served, or only in part.
struct RefusedObject {
    ObjectKey key;
    std::string message;  ///< one line: which field, which value, and who has it
    friend auto operator<=>(const RefusedObject&, const RefusedObject&) = default;
};

}  // namespace podlane::control
