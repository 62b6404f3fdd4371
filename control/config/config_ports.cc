// The part of ConfigReader about uplinks, pod ports and the addresses on them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/config/config_reader.h"
#include "control/document/names.h"

namespace podlane::control {

namespace {

constexpr IntegerRange kUplinkMtus{68, 65535, "an MTU"};
constexpr IntegerRange kIpv6Mtus{1280, 65535, "an MTU for IPv6"};

bool overlaps(const IpPrefix& a, const IpPrefix& b) {
    return a.contains(b.address) || b.contains(a.address);
}

bool is_link_local(const IpAddress& address) {
    return address.is_v6() && address.as<V6>().is_link_local();
}

IpPrefix host_prefix(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

/// Whether the uplink has addresses of the family, but none with a subnet that says what is on the
/// link.
bool has_host_addresses_alone(const UplinkConfig& uplink, bool v4) {
    bool found = false;
    for (const InterfaceAddress& own : uplink.addresses) {
        if (own.address.is_v4() != v4 || is_link_local(own.address)) continue;
        if (own.length != (v4 ? 32 : 128)) return false;
        found = true;
    }
    return found;
}

template <class T>
bool has(const std::vector<T>& list, const T& value) {
    return std::ranges::find(list, value) != list.end();
}

}  // namespace

std::optional<PortRange> parse_port_range(std::string_view text) {
    const size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto port = [](std::string_view digits) -> uint16_t {
        uint16_t number = 0;
        const char* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, number);
        return error == std::errc{} && stop == end ? number : uint16_t{0};
    };
    const PortRange range{port(text.substr(0, dash)), port(text.substr(dash + 1))};
    if (range.first == 0 || range.last < range.first) return std::nullopt;
    return range;
}

std::vector<IpPrefix> ConfigReader::read_prefixes(const Value* list, std::string_view owner) {
    std::vector<IpPrefix> prefixes;
    if (list == nullptr) return prefixes;
    for (const Value& item : as_list(*list, problems_)) {
        const auto prefix = as_prefix(item, problems_);
        if (!prefix) continue;
        claim(item, *prefix, std::string(owner));
        prefixes.push_back(*prefix);
    }
    return prefixes;
}

std::optional<MacAddress> ConfigReader::read_mac(Fields& fields, std::string_view key) {
    const Value* value = fields.get(key);
    if (value == nullptr || (value->is(ValueType::kString) && value->text() == "auto")) {
        return std::nullopt;
    }
    return as_mac(*value, problems_);
}

std::optional<Device> ConfigReader::read_device(const Value& value) {
    const auto text = as_string(value, problems_);
    if (!text) return std::nullopt;
    auto device = parse_device(*text);
    if (!device) {
        problems_.add(value, device.error().message);
        return std::nullopt;
    }
    if (has(device_names_, device->name)) {
        problems_.add(value, fmt::format("the device {} is given twice", device->name));
    } else {
        device_names_.push_back(device->name);
    }
    return std::move(device).value();
}

std::string ConfigReader::read_port_name(const Value& value) {
    std::string name(as_string(value, problems_).value_or(""));
    if (!value.is(ValueType::kString)) return name;
    if (has(port_names_, name))
        problems_.add(value, fmt::format("{} is given twice", shown(value)));
    port_names_.push_back(name);
    return name;
}

void ConfigReader::claim(const Value& value, const IpPrefix& prefix, const std::string& owner) {
    for (const Claim& other : claims_) {
        const bool is_same_uplink = other.owner == owner && owner.starts_with("uplink ");
        if (is_same_uplink || !overlaps(other.prefix, prefix)) continue;
        problems_.add(value, fmt::format("{} overlaps {} of {}", to_string(prefix),
                                         to_string(other.prefix), other.owner));
        return;
    }
    claims_.push_back({prefix, owner});
}

bool ConfigReader::check_own_address(const Value& value, const InterfaceAddress& address) {
    const auto what = [&]() -> std::string_view {
        const auto of = [](const auto& a) -> std::string_view {
            return a.is_zero()        ? "unspecified"
                   : a.is_multicast() ? "multicast"
                   : a.is_loopback()  ? "a loopback address"
                                      : "";
        };
        if (address.address.is_v6()) return of(address.address.as<V6>());
        const Ipv4Address& v4 = address.address.as<V4>();
        if (const auto special = of(v4); !special.empty()) return special;
        if (address.length >= 31) return {};
        const uint32_t host = v4.value.host() & (~uint32_t{0} >> address.length);
        if (address.length > 0 && host == 0) return "the subnet itself";
        return host == (~uint32_t{0} >> address.length) ? "the subnet's broadcast address" : "";
    }();
    if (!what.empty()) {
        problems_.add(value, fmt::format("{} is {}, not a host's address", shown(value), what));
        return false;
    }
    if (has(own_addresses_, address.address)) {
        problems_.add(value, fmt::format("{} is given twice", shown(value)));
        return false;
    }
    return true;
}

void ConfigReader::read_uplinks(std::span<const Value> items) {
    for (const Value& item : items) config_.uplinks.push_back(read_uplink(item));
}

UplinkConfig ConfigReader::read_uplink(const Value& item) {
    UplinkConfig uplink;
    Fields fields(&item, problems_, Keys::kStrict);
    if (const Value* name = fields.require("name", "a name for the port, such as uplink0")) {
        uplink.name = read_port_name(*name);
        if (name->is(ValueType::kString) && (uplink.name.empty() || !is_label_value(uplink.name))) {
            problems_.add(*name, fmt::format("{} is not a port's name (letters, digits, - _ .)",
                                             shown(*name)));
        }
    }
    if (const Value* device = fields.require("device", "a PCI address or DPDK vdev arguments")) {
        if (auto parsed = read_device(*device)) uplink.device = std::move(*parsed);
    }
    for (const Value& address : fields.list("addresses")) read_uplink_address(address, uplink);
    if (const Value* gateway = fields.get("gateway")) {
        if (gateway->is(ValueType::kSequence)) {
            for (const Value& one : gateway->items()) read_gateway(one, uplink);
        } else {
            read_gateway(*gateway, uplink);
        }
    }
    const bool has_v6 = std::ranges::any_of(
        uplink.addresses, [](const InterfaceAddress& a) { return a.address.is_v6(); });
    uplink.mtu = fields.integer<uint16_t>("mtu", has_v6 ? kIpv6Mtus : kUplinkMtus, uplink.mtu);
    uplink.mac = read_mac(fields, "mac");
    if (uplink.device.driver == kTcDriver) {
        if (uplink.mac)
            problems_.add(item, "net_tc: the NIC keeps its MAC address, leave `mac` out");
        if (kernel_interface(uplink.device).value_or("").empty()) {
            problems_.add(item, "net_tc: which NIC? device: \"net_tc0,iface=NAME\"");
        }
    }
    for (const Value& neighbor : fields.list("neighbors")) read_neighbor(neighbor, uplink);
    for (const Value& route : fields.list("routes")) read_route(route, uplink);
    fields.finish();
    return uplink;
}

void ConfigReader::read_uplink_address(const Value& item, UplinkConfig& uplink) {
    const auto address = as_interface_address(item, problems_);
    if (!address || !check_own_address(item, *address)) return;
    if (!is_link_local(address->address)) claim(item, address->subnet(), "uplink " + uplink.name);
    uplink.addresses.push_back(*address);
    own_addresses_.push_back(address->address);
}

void ConfigReader::read_gateway(const Value& item, UplinkConfig& uplink) {
    const auto gateway = as_ip(item, problems_);
    if (!gateway) return;
    const auto is_same_family = [&](const IpAddress& o) { return o.is_v4() == gateway->is_v4(); };
    const auto covers = [&](const InterfaceAddress& a) { return a.subnet().contains(*gateway); };
    if (std::ranges::any_of(uplink.gateways, is_same_family)) {
        problems_.add(item, fmt::format("{} is a second gateway of its family (at most one each)",
                                        shown(item)));
    } else if (has(own_addresses_, *gateway)) {
        problems_.add(item, fmt::format("{} is this node's own address", shown(item)));
    } else if (is_link_local(*gateway) || std::ranges::any_of(uplink.addresses, covers)) {
        uplink.gateways.push_back(*gateway);
    } else if (has_host_addresses_alone(uplink, gateway->is_v4())) {
        // As hosting providers assign it: an address without a subnet, and a gateway on the link.
        claim(item, host_prefix(*gateway), "uplink " + uplink.name);
        uplink.gateways.push_back(*gateway);
    } else {
        problems_.add(item,
                      fmt::format("{} is in no subnet of this uplink's addresses (one outside "
                                  "of them may be next to a /32 or /128)",
                                  shown(item)));
    }
}

namespace {

/// Whether the uplink's neighbours can have the address.
bool is_on_link(const UplinkConfig& uplink, const IpAddress& ip) {
    const auto covers = [&](const InterfaceAddress& a) { return a.subnet().contains(ip); };
    return is_link_local(ip) || has(uplink.gateways, ip) ||
           std::ranges::any_of(uplink.addresses, covers);
}

}  // namespace

void ConfigReader::read_neighbor(const Value& item, UplinkConfig& uplink) {
    Fields fields(&item, problems_, Keys::kStrict);
    const Value* address = fields.require("address", "the neighbour's IP address");
    const Value* mac = fields.require("mac", "the neighbour's MAC address");
    fields.finish();
    const auto ip = address == nullptr ? std::nullopt : as_ip(*address, problems_);
    const auto parsed_mac = mac == nullptr ? std::nullopt : as_mac(*mac, problems_);
    if (!ip || !parsed_mac) return;
    const auto is_same = [&](const NeighborConfig& o) { return o.address == *ip; };
    if (has(own_addresses_, *ip)) {
        problems_.add(*address, fmt::format("{} is this node's own address", shown(*address)));
    } else if (!is_on_link(uplink, *ip)) {
        problems_.add(*address, fmt::format("{} is in no subnet of this uplink's addresses",
                                            shown(*address)));
    } else if (std::ranges::any_of(uplink.neighbors, is_same)) {
        problems_.add(*address, fmt::format("{} is given twice", shown(*address)));
    } else {
        uplink.neighbors.push_back({*ip, *parsed_mac});
    }
}

void ConfigReader::read_route(const Value& item, UplinkConfig& uplink) {
    Fields fields(&item, problems_, Keys::kStrict);
    const Value* to = fields.require("to", "the prefix that the route leads to");
    const Value* via = fields.require("via", "the IP address of a router on the link");
    fields.finish();
    const auto prefix = to == nullptr ? std::nullopt : as_prefix(*to, problems_);
    const auto router = via == nullptr ? std::nullopt : as_ip(*via, problems_);
    if (!prefix || !router) return;
    if (prefix->address.is_v4() != router->is_v4()) {
        problems_.add(*via,
                      fmt::format("{} is of another family than {}", shown(*via), shown(*to)));
    } else if (prefix->length == 0) {
        problems_.add(*to, fmt::format("{} is the default route: give a gateway", shown(*to)));
    } else if (has(own_addresses_, *router)) {
        problems_.add(*via, fmt::format("{} is this node's own address", shown(*via)));
    } else if (!is_on_link(uplink, *router)) {
        problems_.add(*via,
                      fmt::format("{} is in no subnet of this uplink's addresses", shown(*via)));
    } else if (std::ranges::find(uplink.routes, *prefix, &UplinkRoute::destination) !=
               uplink.routes.end()) {
        problems_.add(*to, fmt::format("{} is given twice", shown(*to)));
    } else {
        uplink.routes.push_back({*prefix, *router});
    }
}

void ConfigReader::read_pod_ports(std::span<const Value> items) {
    for (const Value& item : items) config_.pods.ports.push_back(read_pod_port(item));
}

PodPortConfig ConfigReader::read_pod_port(const Value& item) {
    PodPortConfig port;
    Fields fields(&item, problems_, Keys::kStrict);
    if (const Value* name = fields.require("name", "NAMESPACE/NAME of the pod")) {
        const std::string text = read_port_name(*name);
        const size_t slash = text.find('/');
        port.name_space = text.substr(0, slash);
        if (slash != std::string::npos) port.name = text.substr(slash + 1);
        if (name->is(ValueType::kString) &&
            (!is_dns_label(port.name_space) || !is_dns_subdomain(port.name))) {
            problems_.add(*name, fmt::format("{} is not NAMESPACE/NAME of a pod", shown(*name)));
        }
    }
    if (const Value* device = fields.require("device", "a PCI address or DPDK vdev arguments")) {
        if (auto parsed = read_device(*device)) port.device = std::move(*parsed);
        if (port.device.driver == kTcDriver) problems_.add(*device, "net_tc is for uplinks");
    }
    if (const Value* list = fields.require("addresses", "the pod's IP addresses")) {
        for (const Value& address : as_list(*list, problems_)) read_pod_address(address, port);
    }
    if (const Value* mac = fields.require("mac", "the pod's MAC address")) {
        const auto parsed = as_mac(*mac, problems_);
        const auto is_same = [&](const PodPortConfig& o) { return parsed && o.mac == *parsed; };
        if (std::ranges::any_of(config_.pods.ports, is_same)) {
            problems_.add(*mac, fmt::format("{} is given twice", shown(*mac)));
        }
        if (parsed) port.mac = *parsed;
    }
    for (const Value& more : fields.list("allowedAddresses")) {
        if (const auto prefix = read_allowed(more)) port.allowed_addresses.push_back(*prefix);
    }
    fields.finish();
    return port;
}

std::optional<IpPrefix> ConfigReader::read_allowed(const Value& item) {
    if (item.is(ValueType::kString)) {
        if (const auto ip = parse_ip(item.text())) {
            return IpPrefix{*ip, static_cast<uint8_t>(ip->is_v4() ? 32 : 128)};
        }
    }
    return as_prefix(item, problems_);
}

void ConfigReader::read_pod_address(const Value& item, PodPortConfig& port) {
    const auto address = as_ip(item, problems_);
    if (!address) return;
    const auto covering = std::ranges::find_if(
        config_.pods.cidrs, [&](const IpPrefix& cidr) { return cidr.contains(*address); });
    if (covering == config_.pods.cidrs.end()) {
        problems_.add(item, fmt::format("{} is not within pods.cidrs", shown(item)));
        return;
    }
    if (*address == address_plus(covering->address, 1)) {
        problems_.add(item,
                      fmt::format("{} is the gateway of {}", shown(item), to_string(*covering)));
        return;
    }
    if (!check_own_address(item, {*address, covering->length})) return;
    const auto has_it = [&](const PodPortConfig& o) { return has(o.addresses, *address); };
    if (has_it(port) || std::ranges::any_of(config_.pods.ports, has_it)) {
        problems_.add(item, fmt::format("{} is given twice", shown(item)));
        return;
    }
    port.addresses.push_back(*address);
}

}  // namespace podlane::control
