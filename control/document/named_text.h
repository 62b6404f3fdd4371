// One text of a request that carries objects, with the name that errors call it by.
#pragma once

#include <string_view>

namespace podlane::control {

/// Views; they hold as long as what was received.
struct NamedText {
    std::string_view name;
    std::string_view text;
};

}  // namespace podlane::control
