// The program's version, as meson.build has it.
#pragma once

namespace podlane::control {

/// In static storage.
[[nodiscard]] const char* version() noexcept;

}  // namespace podlane::control
