// Words that users bring from kubectl and other tools, and what they are called here.
//
// For error messages and remarks of podlanectl. Pure.
#pragma once

#include <string>
#include <string_view>

namespace podlane::control {

/// What to do instead of the unknown command `word`, "use podlanectl apply -f FILE"; "" if that is
/// not known.
[[nodiscard]] std::string command_meant(std::string_view word);

/// The same for an unknown kind of `get` and `describe`, in lower case: "use podlanectl events".
[[nodiscard]] std::string kind_meant(std::string_view word);

/// Where else to look if a list of this kind is empty, or lacks a name, because the kind is easily
/// taken for another; "" for most kinds.
[[nodiscard]] std::string_view elsewhere_of(std::string_view plural);

}  // namespace podlane::control
