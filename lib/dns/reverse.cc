#include "lib/dns/reverse.h"

#include <algorithm>
#include <array>

namespace podlane {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kInAddr = "\7in-addr\4arpa\0"sv;
constexpr std::string_view kIp6 = "\3ip6\4arpa\0"sv;

/// 0-255 without leading zeros; -1 otherwise.
int decimal_octet(std::string_view label) noexcept {
    if (label.empty() || label.size() > 3 || (label.size() > 1 && label[0] == '0')) return -1;
    int value = 0;
    for (const char c : label) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value <= 255 ? value : -1;
}

int hex_digit(std::string_view label) noexcept {
    if (label.size() != 1) return -1;
    const char c = label[0];
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::optional<ReverseName> parse_reverse_name(const DnsName& name) noexcept {
    ReverseName out;
    if (const auto before = name.labels_before(kInAddr)) {
        std::array<uint8_t, 4> bytes{};
        unsigned left = *before;
        for (; left > 0 && out.bits < 32; --left, out.bits += 8) {
            const int octet = decimal_octet(name.label(left - 1));
            if (octet < 0) break;
            bytes[out.bits / 8] = static_cast<uint8_t>(octet);
        }
        out.is_more = left > 0;
        Ipv4Address address{};
        std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(&address));
        out.address = address;
        return out;
    }
    const auto before = name.labels_before(kIp6);
    if (!before) return std::nullopt;
    Ipv6Address address{};
    unsigned left = *before;
    for (; left > 0 && out.bits < 128; --left, out.bits += 4) {
        const int digit = hex_digit(name.label(left - 1));
        if (digit < 0) break;
        uint8_t& byte = address.bytes[out.bits / 8];
        byte = static_cast<uint8_t>(byte | digit << (out.bits % 8 == 0 ? 4 : 0));
    }
    out.is_more = left > 0;
    out.address = address;
    return out;
}

std::optional<IpAddress> parse_dashed_address(std::string_view label) noexcept {
    std::array<char, kMaxDnsLabel> text;
    const auto is_allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
    };
    if (label.size() > text.size() || !std::ranges::all_of(label, is_allowed)) return std::nullopt;
    for (const char separator : {'.', ':'}) {
        std::replace_copy(label.begin(), label.end(), text.begin(), '-', separator);
        const auto address = parse_ip({text.data(), label.size()});
        if (address && address->is_v4() == (separator == '.')) return address;
    }
    return std::nullopt;
}

}  // namespace podlane
