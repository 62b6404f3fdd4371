#include "control/node/pod_names.h"

#include <algorithm>
#include <cstdint>

#include "lib/base/stable_hash.h"

namespace podlane::control {

namespace {

bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// A part of a subdomain: like a label, but of any length.
bool is_part(std::string_view text) noexcept {
    return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_label(std::string_view text) noexcept {
    return text.size() <= 63 && is_part(text);
}

bool is_subdomain(std::string_view text) noexcept {
    if (text.size() > 253) return false;
    for (;;) {
        const size_t dot = text.find('.');
        if (!is_part(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

bool is_pod_name(std::string_view text) noexcept {
    const size_t slash = text.find('/');
    return slash != std::string_view::npos && is_label(text.substr(0, slash)) &&
           is_subdomain(text.substr(slash + 1));
}

bool is_container_id(std::string_view text) noexcept {
    const auto is_letter = [](char c) { return is_alphanumeric(c) || (c >= 'A' && c <= 'Z'); };
    return !text.empty() && text.size() <= 253 && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return is_letter(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_interface_name(std::string_view text) noexcept {
    if (text.empty() || text.size() > 15 || text == "." || text == "..") return false;
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return c == '/' || c == ':' || c <= ' ' || c == '\x7f'; });
}

MacAddress derive_pod_mac(std::string_view node, std::string_view pod, unsigned attempt) noexcept {
    // The separator is a byte that occurs in no name.
    uint64_t hash = fnv1a(pod, fnv1a("/", fnv1a(node)));
    for (; attempt > 0; --attempt) hash = fnv1a("/", hash);
    hash ^= hash >> 32;
    MacAddress mac{};
    for (uint8_t& byte : mac.bytes) {
        byte = static_cast<uint8_t>(hash);
        hash >>= 8;
    }
    mac.bytes[0] = static_cast<uint8_t>((mac.bytes[0] & 0xfc) | 0x02);
    return mac;
}

}  // namespace podlane::control
