#include "lib/base/ip_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

namespace podlane {

bool IpPrefix::contains(const IpAddress& a) const noexcept {
    if (a.is_v4() != address.is_v4()) return false;
    return a.is_v4() ? as<V4>().contains(a.as<V4>()) : as<V6>().contains(a.as<V6>());
}

IpPrefix InterfaceAddress::subnet() const noexcept {
    if (address.is_v4()) return {address.as<V4>().masked(length), length};
    return {address.as<V6>().masked(length), length};
}

std::optional<IpAddress> parse_ip(std::string_view text) noexcept {
    std::array<char, INET6_ADDRSTRLEN + 1> buffer{};
    if (text.empty() || text.size() >= buffer.size()) return std::nullopt;
    text.copy(buffer.data(), text.size());
    Ipv4Address v4{};
    if (inet_pton(AF_INET, buffer.data(), &v4) == 1) return IpAddress(v4);
    Ipv6Address v6{};
    if (inet_pton(AF_INET6, buffer.data(), &v6) == 1) return IpAddress(v6);
    return std::nullopt;
}

std::optional<InterfaceAddress> parse_interface_address(std::string_view text) noexcept {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return std::nullopt;
    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    if (length > (address->is_v4() ? V4::kAddressBits : V6::kAddressBits)) return std::nullopt;
    return InterfaceAddress{*address, static_cast<uint8_t>(length)};
}

std::optional<IpPrefix> parse_prefix(std::string_view text) noexcept {
    const auto parsed = parse_interface_address(text);
    if (!parsed || parsed->subnet().address != parsed->address) return std::nullopt;
    return parsed->subnet();
}

std::string to_string(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (address.is_v4()) {
        inet_ntop(AF_INET, &address.as<V4>(), buffer.data(), buffer.size());
    } else {
        inet_ntop(AF_INET6, &address.as<V6>(), buffer.data(), buffer.size());
    }
    return buffer.data();
}

std::string to_string(const IpPrefix& prefix) {
    return fmt::format("{}/{}", to_string(prefix.address), prefix.length);
}

std::string to_string(const InterfaceAddress& address) {
    return fmt::format("{}/{}", to_string(address.address), address.length);
}

std::string to_string(const IpAddress& address, uint16_t port) {
    return address.is_v4() ? fmt::format("{}:{}", to_string(address), port)
                           : fmt::format("[{}]:{}", to_string(address), port);
}

IpAddress address_plus(const IpAddress& base, uint64_t n) noexcept {
    if (base.is_v4()) {
        return Ipv4Address{be32(static_cast<uint32_t>(base.as<V4>().value.host() + n))};
    }
    Ipv6Address out = base.as<V6>();
    for (size_t i = 16; i-- > 0 && n != 0;) {
        n += out.bytes[i];
        out.bytes[i] = static_cast<uint8_t>(n);
        n >>= 8;
    }
    return out;
}

}  // namespace podlane
