#include "control/cni/result.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/cni/failure.h"

namespace podlane::cni {
namespace {

Failure bad_answer(const std::string& why) {
    return {code::kIpam, "the IPAM plugin's answer cannot be carried out", why};
}

const Json& list_of(const Json& object, const char* key) {
    static const Json kNone = Json::array();
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : kNone;
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const char* default_of(const IpAddress& address) {
    return address.is_v4() ? "0.0.0.0/0" : "::/0";
}

/// A pod has one route per family, to its gateway. The plugin's routes may only name that gateway,
/// and are then covered.
void check_routes(const Json& answer, const std::vector<GivenAddress>& ips) {
    for (const Json& route : list_of(answer, "routes")) {
        const std::string gateway = text_of(route, "gw");
        const auto via = parse_ip(gateway);
        const bool is_ours = std::any_of(ips.begin(), ips.end(), [&](const GivenAddress& each) {
            return via && each.gateway == *via;
        });
        if (gateway.empty() || is_ours) continue;
        throw bad_answer(
            fmt::format("a route to {} by {}: all that a pod sends goes by the "
                        "gateway of its pod CIDR",
                        text_of(route, "dst"), gateway));
    }
}

Json interface_json(const Request& request, const Json& port) {
    Json out = {{"name", request.attachment.ifname}, {"mac", text_of(port, "mac")}};
    if (is_at_least(request.version, "1.1.0") && port.contains("mtu")) out["mtu"] = port["mtu"];
    out["sandbox"] = request.netns;
    if (is_at_least(request.version, "1.1.0") && port.contains("socketPath")) {
        out["socketPath"] = port["socketPath"];
    }
    return out;
}

/// The pod's resolver, in order of precedence: what the runtime asks for, the configuration, the
/// IPAM plugin, podlaned.
Json dns_of(const Request& request, const GivenAddresses& given, const Json& port) {
    Json dns = port.value("dns", Json::object());
    for (const Json* source : {&given.dns, &request.dns}) {
        for (const auto& [key, value] : source->items()) {
            if (!value.empty()) dns[key] = value;
        }
    }
    return dns;
}

}  // namespace

GivenAddresses read_ipam_answer(const Json& answer) {
    GivenAddresses given;
    for (const Json& each : list_of(answer, "ips")) {
        const auto address = parse_interface_address(text_of(each, "address"));
        if (!address) throw bad_answer(fmt::format("{} has no address", each.dump()));
        for (const GivenAddress& other : given.ips) {
            if (other.address.address.is_v4() == address->address.is_v4()) {
                throw bad_answer(fmt::format("{} and {}: a pod has one address of each family",
                                             to_string(other.address), to_string(*address)));
            }
        }
        given.ips.push_back({*address, parse_ip(text_of(each, "gateway"))});
    }
    if (given.ips.empty()) throw bad_answer("it gives no address");
    check_routes(answer, given.ips);
    if (const auto dns = answer.find("dns"); dns != answer.end() && dns->is_object()) {
        given.dns = *dns;
    }
    return given;
}

Json make_result(const Request& request, const GivenAddresses& given, const Json& port) {
    const auto previous = request.config.find("prevResult");
    const bool is_chained = previous != request.config.end() && previous->is_object();
    Json out = is_chained ? *previous : Json::object();
    out["cniVersion"] = request.version;
    for (const char* key : {"interfaces", "ips", "routes"}) out[key] = list_of(out, key);
    const size_t index = out["interfaces"].size();
    out["interfaces"].push_back(interface_json(request, port));
    for (const GivenAddress& each : given.ips) {
        const bool is_v4 = each.address.address.is_v4();
        Json ip = Json::object();
        if (!is_at_least(request.version, "1.0.0")) ip["version"] = is_v4 ? "4" : "6";
        ip["address"] = to_string(each.address);
        std::string gateway = each.gateway ? to_string(*each.gateway) : std::string();
        for (const Json& text : list_of(port, "gateways")) {
            const auto address = parse_ip(text.get<std::string>());
            if (address && address->is_v4() == is_v4) gateway = to_string(*address);
        }
        if (!gateway.empty()) {
            ip["gateway"] = gateway;
            out["routes"].push_back({{"dst", default_of(each.address.address)}, {"gw", gateway}});
        }
        ip["interface"] = index;
        out["ips"].push_back(std::move(ip));
    }
    Json dns = dns_of(request, given, port);
    if (!dns.empty()) out["dns"] = std::move(dns);
    return out;
}

std::optional<ListedInterface> find_interface(const Json& result, const std::string& ifname) {
    if (!result.is_object()) return std::nullopt;
    const Json& interfaces = list_of(result, "interfaces");
    for (size_t i = 0; i < interfaces.size(); ++i) {
        const std::string sandbox = text_of(interfaces[i], "sandbox");
        if (text_of(interfaces[i], "name") != ifname || sandbox.empty()) continue;
        ListedInterface found{text_of(interfaces[i], "mac"), sandbox, {}};
        for (const Json& ip : list_of(result, "ips")) {
            if (ip.value("interface", Json()) == i)
                found.addresses.push_back(text_of(ip, "address"));
        }
        return found;
    }
    return std::nullopt;
}

}  // namespace podlane::cni
