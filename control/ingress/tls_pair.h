// A certificate and its key, checked before a proxy gets them. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace podlane::control {

/// Says what is wrong with a PEM chain (leaf first) and the PEM key of its leaf; "" if they belong
/// together. Never shows their contents.
[[nodiscard]] std::string tls_pair_fault(std::string_view certificate, std::string_view key);

/// The first 16 hexadecimal digits of the SHA-256 of a text.
[[nodiscard]] std::string short_digest(std::string_view text);

}  // namespace podlane::control
