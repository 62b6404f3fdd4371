#include "control/config/address_range.h"

#include <algorithm>

namespace podlane::control {

namespace {

constexpr uint64_t kMostAddresses = uint64_t{1} << 31;

/// An IPv6 address as two numbers.
struct Halves {
    uint64_t upper = 0;
    uint64_t lower = 0;
};

Halves halves_of(const Ipv6Address& address) noexcept {
    Halves out;
    for (size_t i = 0; i < 8; ++i) {
        out.upper = out.upper << 8 | address.bytes[i];
        out.lower = out.lower << 8 | address.bytes[i + 8];
    }
    return out;
}

std::string_view without_blanks(std::string_view text) noexcept {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

}  // namespace

uint64_t AddressRange::count() const noexcept {
    uint64_t distance = 0;
    if (first.is_v4()) {
        distance = last.as<V4>().value.host() - first.as<V4>().value.host();
    } else {
        const Halves from = halves_of(first.as<V6>());
        const Halves to = halves_of(last.as<V6>());
        const uint64_t borrow = to.lower < from.lower ? 1 : 0;
        if (to.upper - from.upper != borrow) return kMostAddresses;
        distance = to.lower - from.lower;
    }
    return std::min(distance, kMostAddresses - 1) + 1;
}

AddressRange range_of(const IpPrefix& prefix) noexcept {
    if (prefix.address.is_v4()) {
        const uint32_t first = prefix.address.as<V4>().value.host();
        const uint64_t rest = (uint64_t{1} << (32 - prefix.length)) - 1;
        return {prefix.address, Ipv4Address{be32(first | static_cast<uint32_t>(rest))}};
    }
    Ipv6Address last = prefix.address.as<V6>();
    for (unsigned bit = prefix.length; bit < 128; ++bit) {
        last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | (0x80U >> (bit % 8)));
    }
    return {prefix.address, last};
}

std::optional<AddressRange> parse_address_range(std::string_view text) noexcept {
    if (const auto prefix = parse_prefix(text)) return range_of(*prefix);
    if (const auto address = parse_ip(text)) return AddressRange{*address, *address};
    const size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto first = parse_ip(without_blanks(text.substr(0, dash)));
    const auto last = parse_ip(without_blanks(text.substr(dash + 1)));
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) return std::nullopt;
    return AddressRange{*first, *last};
}

std::string to_string(const AddressRange& range) {
    if (range.first == range.last) return to_string(range.first);
    return to_string(range.first) + "-" + to_string(range.last);
}

}  // namespace podlane::control
