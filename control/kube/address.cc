#include "control/kube/address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace podlane::control {

namespace {

constexpr size_t kLongestText = 256;

/// The text without leading zeros in its numbers; a number that is zero keeps one.
std::string without_leading_zeros(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool at_start = true;  // of a number, or after zeros that were left out
    for (size_t i = 0; i < text.size(); ++i) {
        const bool is_separator = text[i] == '.' || text[i] == ':';
        const bool is_last = i + 1 == text.size() || text[i + 1] == '.' || text[i + 1] == ':';
        if (at_start && text[i] == '0' && !is_last) continue;
        at_start = is_separator;
        out += text[i];
    }
    return out;
}

/// RFC 4291 section 2.5.5.2: ::ffff:0:0/96.
bool is_mapped(const Ipv6Address& address) noexcept {
    constexpr std::array<uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(kPrefix.begin(), kPrefix.end(), address.bytes.begin());
}

IpAddress unmapped(const IpAddress& address) noexcept {
    if (address.is_v4() || !is_mapped(address.as<V6>())) return address;
    uint32_t number = 0;
    for (size_t i = 12; i < 16; ++i) number = number << 8 | address.as<V6>().bytes[i];
    return Ipv4Address{be32(number)};
}

std::optional<IpAddress> parse_plainly(std::string_view text) {
    if (text.size() > kLongestText) return std::nullopt;
    return parse_ip(without_leading_zeros(text));
}

}  // namespace

std::optional<IpAddress> parse_ip_sloppily(std::string_view text) {
    const auto address = parse_plainly(text);
    if (!address) return std::nullopt;
    return unmapped(*address);
}

std::optional<IpPrefix> parse_cidr_sloppily(std::string_view text) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = parse_plainly(text.substr(0, slash));
    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!address || error != std::errc{} || end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    if (length > (address->is_v4() ? V4::kAddressBits : V6::kAddressBits)) return std::nullopt;
    const IpPrefix prefix = InterfaceAddress{*address, static_cast<uint8_t>(length)}.subnet();
    const IpAddress v4 = unmapped(prefix.address);
    if (prefix.address.is_v4() || v4.is_v6()) return prefix;
    return IpPrefix{v4, static_cast<uint8_t>(length - 96)};
}

}  // namespace podlane::control
