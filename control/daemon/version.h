// The program's version, as meson.build has it.
#pragma once

namespace podlane::control {

inline constexpr const char* kVersion = PODLANE_VERSION;

}  // namespace podlane::control
