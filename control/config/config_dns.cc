// The part of ConfigReader about the cluster's DNS: where it answers, and which servers it asks.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/config/config_reader.h"

namespace podlane::control {

namespace {

/// The tenth address of the service CIDR, as kubeadm and others choose it.
constexpr uint64_t kUsualAddress = 10;

bool is_word(const Value& value, std::string_view word) {
    return value.is(ValueType::kString) && value.text() == word;
}

/// Unquoted, `off` is one of YAML's booleans.
bool is_off(const Value& value) {
    return is_word(value, "off") || (value.is(ValueType::kBool) && value.text() == "false");
}

template <class Address>
bool is_of_one_host(const Address& address) {
    return !address.is_zero() && !address.is_loopback() && !address.is_multicast();
}

bool is_of_one_host(const IpAddress& address) {
    return address.is_v4() ? is_of_one_host(address.as<V4>()) : is_of_one_host(address.as<V6>());
}

template <class List>
bool has_family_of(const List& list, const IpAddress& address) {
    return std::ranges::any_of(
        list, [&](const IpAddress& other) { return other.is_v4() == address.is_v4(); });
}

}  // namespace

std::string to_string(const UpstreamDns& server) {
    if (server.interface.empty()) return to_string(server.address, server.port);
    return fmt::format("[{}%{}]:{}", to_string(server.address), server.interface, server.port);
}

std::optional<UpstreamDns> parse_scoped_address(std::string_view text) {
    const size_t percent = text.find('%');
    const auto address = parse_ip(text.substr(0, percent));
    if (!address) return std::nullopt;
    UpstreamDns server{*address};
    if (percent == std::string_view::npos) return server;
    server.interface = text.substr(percent + 1);
    const bool is_link_local = address->is_v6() && address->as<V6>().is_link_local();
    // Same as Linux's dev_valid_name(), and without brackets.
    const bool is_name = !server.interface.empty() && server.interface.size() <= 15 &&
                         server.interface.find_first_of("/:[] %") == std::string::npos;
    if (!is_link_local || !is_name) return std::nullopt;
    return server;
}

std::optional<UpstreamDns> parse_upstream_dns(std::string_view text) {
    if (auto whole = parse_scoped_address(text)) return whole;
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    auto server = parse_scoped_address(host);
    if (!server || server->address.is_v6() != in_brackets) return std::nullopt;
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), server->port);
    if (error != std::errc{} || end != digits.data() + digits.size() || server->port == 0) {
        return std::nullopt;
    }
    return server;
}

std::vector<IpAddress> ConfigReader::usual_dns_addresses() const {
    std::vector<IpAddress> out;
    for (const IpPrefix& cidr : config_.cluster.service_cidrs) {
        const IpAddress address = address_plus(cidr.address, kUsualAddress);
        const bool is_pods_family = std::ranges::any_of(
            config_.pods.cidrs,
            [&](const IpPrefix& pods) { return pods.address.is_v4() == address.is_v4(); });
        if (!cidr.contains(address) || !is_pods_family || has_family_of(out, address)) continue;
        out.push_back(address);
    }
    return out;
}

void ConfigReader::add_dns_address(const Value& item) {
    const auto address = as_ip(item, problems_);
    if (!address) return;
    const auto is_in = [&](const IpPrefix& prefix) { return prefix.contains(*address); };
    if (!is_of_one_host(*address)) {
        problems_.add(item,
                      fmt::format("{} is not an address that a server can have", shown(item)));
    } else if (has_family_of(config_.cluster.dns, *address)) {
        problems_.add(item, fmt::format("{} is a second address of its family (at most one each)",
                                        shown(item)));
    } else if (std::ranges::any_of(config_.cluster.pod_cidrs, is_in)) {
        problems_.add(item, fmt::format("{} is within cluster.podCidrs, where pods' addresses are",
                                        shown(item)));
    } else if (std::ranges::find(own_addresses_, *address) != own_addresses_.end()) {
        problems_.add(item, fmt::format("{} is this node's own address", shown(item)));
    } else {
        config_.cluster.dns.push_back(*address);
    }
}

void ConfigReader::read_dns(const Value* value) {
    if (value == nullptr || value->is_null() || is_word(*value, "auto")) {
        config_.cluster.dns = usual_dns_addresses();
    } else if (value->is(ValueType::kSequence)) {
        for (const Value& item : value->items()) add_dns_address(item);
        if (value->items().empty()) {
            problems_.add(*value, "an empty list; at least one address is needed, or off");
        }
    } else if (!is_off(*value)) {
        if (value->is(ValueType::kString) && parse_ip(value->text())) {
            add_dns_address(*value);
        } else {
            problems_.add(
                *value,
                fmt::format("{} is not auto, off, an IP address or a list of them", shown(*value)));
        }
    }
}

void ConfigReader::read_upstream_dns(const Value* value) {
    if (value == nullptr || value->is_null() || is_word(*value, "host")) return;
    auto& upstream = config_.cluster.upstream_dns.emplace();
    for (const Value& item : as_list(*value, problems_)) {
        const auto text = as_string(item, problems_);
        const auto server = text ? parse_upstream_dns(*text) : std::nullopt;
        if (!text) continue;
        if (!server || !(server->address.is_v4() ? !server->address.as<V4>().is_multicast()
                                                 : !server->address.as<V6>().is_multicast())) {
            problems_.add(item, fmt::format("{} is not a server's address such as 192.0.2.1 or "
                                            "[2001:db8::1]:53",
                                            shown(item)));
        } else if (server->interface.empty() && server->address.is_v6() &&
                   server->address.as<V6>().is_link_local()) {
            problems_.add(item, fmt::format("{} is link-local; its interface is needed, as in "
                                            "fe80::1%eth0",
                                            shown(item)));
        } else if (std::ranges::find(config_.cluster.dns, server->address) !=
                   config_.cluster.dns.end()) {
            problems_.add(item, fmt::format("{} is this very server (cluster.dns)", shown(item)));
        } else if (std::ranges::find(upstream, *server) != upstream.end()) {
            problems_.add(item, fmt::format("{} is given twice", shown(item)));
        } else {
            upstream.push_back(*server);
        }
    }
}

}  // namespace podlane::control
