// Kubernetes' rules for names, as in apimachinery's validation: for objects, and for names in a
// node's configuration that refer to them. Any thread.
#pragma once

#include <string_view>

namespace podlane::control {

/// RFC 1123 label: at most 63 of a-z 0-9 -, neither beginning nor ending with -.
[[nodiscard]] bool is_dns_label(std::string_view text) noexcept;
/// RFC 1123 subdomain: labels of any length joined by dots, at most 253 characters in all.
[[nodiscard]] bool is_dns_subdomain(std::string_view text) noexcept;
/// A subdomain that may begin with "*.", for hosts of an Ingress.
[[nodiscard]] bool is_host_pattern(std::string_view text) noexcept;
/// A port's name (IANA_SVC_NAME, RFC 6335 section 5.1): at most 15 of a-z 0-9 -, a letter among
/// them, no two - together, neither beginning nor ending with one.
[[nodiscard]] bool is_port_name(std::string_view text) noexcept;
/// A label's key: [SUBDOMAIN/]NAME, the name at most 63 of A-Z a-z 0-9 - _ .
[[nodiscard]] bool is_label_key(std::string_view text) noexcept;
/// A label's value: empty, or as a key's name.
[[nodiscard]] bool is_label_value(std::string_view text) noexcept;

}  // namespace podlane::control
