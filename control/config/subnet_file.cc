#include "control/config/subnet_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/document/fields.h"

namespace podlane::control {

namespace {

constexpr uintmax_t kMostBytes = 64 * 1024;

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

/// As a shell reads it: the file is usually sourced by one.
std::string_view unquoted(std::string_view text) {
    const bool is_quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                           text.front() == text.back();
    return is_quoted ? text.substr(1, text.size() - 2) : text;
}

/// Returns what is wrong with the value; empty if it is valid.
std::string take_networks(std::string_view value, bool v4, SubnetFile& out) {
    while (!value.empty()) {
        const size_t comma = std::min(value.find(','), value.size());
        const auto network = parse_prefix(value.substr(0, comma));
        if (!network || network->address.is_v4() != v4) {
            return fmt::format("is no {} prefix", v4 ? "IPv4" : "IPv6");
        }
        out.networks.push_back(*network);
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return {};
}

/// flannel writes the gateway's address with the subnet's prefix length.
std::string take_subnet(std::string_view value, bool v4, SubnetFile& out) {
    const auto gateway = parse_interface_address(value);
    if (!gateway || gateway->address.is_v4() != v4) {
        return fmt::format("is no {} address with a prefix length", v4 ? "IPv4" : "IPv6");
    }
    const bool is_second = std::ranges::any_of(
        out.subnets, [&](const IpPrefix& other) { return other.address.is_v4() == v4; });
    if (is_second) return "is a second subnet of its family";
    out.subnets.push_back(gateway->subnet());
    return {};
}

std::string take_mtu(std::string_view value, SubnetFile& out) {
    uint16_t mtu = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), mtu);
    if (error != std::errc() || end != value.data() + value.size() || mtu < 68) {
        return "is no MTU (68-65535)";
    }
    out.mtu = mtu;
    return {};
}

std::string take(std::string_view key, std::string_view value, SubnetFile& out) {
    if (key == "FLANNEL_NETWORK") return take_networks(value, true, out);
    if (key == "FLANNEL_IPV6_NETWORK") return take_networks(value, false, out);
    if (key == "FLANNEL_SUBNET") return take_subnet(value, true, out);
    if (key == "FLANNEL_IPV6_SUBNET") return take_subnet(value, false, out);
    if (key == "FLANNEL_MTU") return take_mtu(value, out);
    return {};
}

}  // namespace

Result<SubnetFile> parse_subnet_file(std::string_view text, const std::string& name) {
    SubnetFile file;
    for (int line = 1; !text.empty(); ++line) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view content = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (content.empty() || content.front() == '#') continue;
        const size_t equals = content.find('=');
        if (equals == std::string_view::npos) {
            return Error{
                fmt::format("{}:{}: {} is no line of KEY=VALUE", name, line, in_quotes(content)),
                name,
                line,
                {}};
        }
        const std::string_view key = content.substr(0, equals);
        const std::string_view value = unquoted(content.substr(equals + 1));
        if (value.empty()) continue;
        if (const std::string wrong = take(key, value, file); !wrong.empty()) {
            return Error{fmt::format("{}:{}: {}: {} {}", name, line, key, in_quotes(value), wrong),
                         name, line, std::string(key)};
        }
    }
    if (file.subnets.empty()) {
        return Error{name + ": has neither FLANNEL_SUBNET nor FLANNEL_IPV6_SUBNET", name, 0, {}};
    }
    return file;
}

Result<SubnetFile> load_subnet_file(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        return Error{
            path + ": there is no such file; flannel writes it when it is up", path, 0, {}};
    }
    const uintmax_t size = std::filesystem::file_size(path, error);
    if (error || size > kMostBytes) {
        return Error{
            fmt::format("{}: is no subnet file of flannel's (at most {} bytes)", path, kMostBytes),
            path,
            0,
            {}};
    }
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return Error{path + ": cannot be read", path, 0, {}};
    return parse_subnet_file(text.str(), path);
}

std::string subnet_file_text(const SubnetFile& file) {
    std::string text;
    for (const bool v4 : {true, false}) {
        const char* const family = v4 ? "" : "IPV6_";
        std::string networks;
        for (const IpPrefix& network : file.networks) {
            if (network.address.is_v4() != v4) continue;
            networks += (networks.empty() ? "" : ",") + to_string(network);
        }
        if (!networks.empty()) text += fmt::format("FLANNEL_{}NETWORK={}\n", family, networks);
        for (const IpPrefix& subnet : file.subnets) {
            if (subnet.address.is_v4() != v4) continue;
            text += fmt::format("FLANNEL_{}SUBNET={}/{}\n", family,
                                to_string(address_plus(subnet.address, 1)), subnet.length);
        }
    }
    if (file.mtu) text += fmt::format("FLANNEL_MTU={}\n", *file.mtu);
    return text + "FLANNEL_IPMASQ=true\n";
}

}  // namespace podlane::control
