#include "control/document/names.h"

#include <algorithm>

namespace podlane::control {

namespace {

bool is_lower(char c) noexcept {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_lower_or_digit(char c) noexcept {
    return is_lower(c) || is_digit(c);
}
bool is_alphanumeric(char c) noexcept {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

/// A label of any length, as within a subdomain.
bool is_label_text(std::string_view text) noexcept {
    return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_qualified_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
           is_alphanumeric(text.back()) && std::ranges::all_of(text, [](char c) {
               return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
           });
}

}  // namespace

bool is_dns_label(std::string_view text) noexcept {
    return text.size() <= 63 && is_label_text(text);
}

bool is_dns_subdomain(std::string_view text) noexcept {
    if (text.size() > 253) return false;
    while (true) {
        const size_t dot = text.find('.');
        if (!is_label_text(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_host_pattern(std::string_view text) noexcept {
    if (text.starts_with("*.")) text.remove_prefix(2);
    return is_dns_subdomain(text);
}

bool is_port_name(std::string_view text) noexcept {
    return text.size() <= 15 && is_label_text(text) && std::ranges::any_of(text, is_lower) &&
           text.find("--") == std::string_view::npos;
}

bool is_label_key(std::string_view text) noexcept {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return is_qualified_name(text);
    return is_dns_subdomain(text.substr(0, slash)) && is_qualified_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) noexcept {
    return text.empty() || is_qualified_name(text);
}

}  // namespace podlane::control
