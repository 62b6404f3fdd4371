// Base64 (RFC 4648 section 4), as the `data` of Secrets has it. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podlane::control {

[[nodiscard]] std::string to_base64(std::string_view bytes);

/// None if it is not base64. Line ends within are passed over, as Kubernetes (Go) does.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace podlane::control
