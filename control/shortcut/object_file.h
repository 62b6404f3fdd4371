// The compiled BPF program, as the build has put it in. Any thread.
#pragma once

#include <cstdint>
#include <span>

namespace podlane::control {

[[nodiscard]] std::span<const uint8_t> shortcut_object() noexcept;

}  // namespace podlane::control
