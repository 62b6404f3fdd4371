// Objects that are known but not served, or not whole: what the compiler tells of them.
//
// The node model asks the Compiler for them after each generation, for `get KIND` with `refused`,
// health and the log. Plain values; control thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "control/kube/meta.h"

namespace podlane::control {

/// What to do where two Services want one clusterIP or nodePort, which an API server does not let
/// happen: kRefuse refuses the change that brings it about; kOlder serves the older one, and the
/// younger one takes its place when it goes.
enum class OnConflict : uint8_t { kRefuse, kOlder };

/// An object of which something is not served.
struct RefusedObject {
    ObjectKey key;
    std::string message;  ///< one line: which field, which value, and who has it
    friend auto operator<=>(const RefusedObject&, const RefusedObject&) = default;
};

}  // namespace podlane::control
