// The part of ConfigReader about the pools of LoadBalancer Services.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "control/config/config_reader.h"

namespace podlane::control {

namespace {

/// Says why no Service may have the address; "" if one may.
template <class Address>
std::string_view unusable(const Address& address) {
    if (address.is_zero()) return "an unspecified address";
    if (address.is_loopback()) return "a loopback address";
    if (address.is_link_local()) return "a link-local address";
    return address.is_multicast() ? "a multicast address" : "";
}

std::string_view unusable(const IpAddress& address) {
    return address.is_v4() ? unusable(address.as<V4>()) : unusable(address.as<V6>());
}

}  // namespace

void ConfigReader::read_load_balancer(Fields section) {
    LoadBalancerConfig& out = config_.load_balancer;
    for (const Value& item : section.list("pools")) {
        if (const auto pool = read_pool(item)) out.pools.push_back(*pool);
    }
    const std::string_view socket = config_.socket;
    const std::string_view stem =
        socket.ends_with(".sock") ? socket.substr(0, socket.size() - 5) : socket;
    out.state = std::string(stem) + ".addresses.json";
    if (const Value* state = section.get("state")) {
        const std::string text(as_string(*state, problems_).value_or("/"));
        if (text.empty()) problems_.add(*state, "an empty path; a file is meant");
        out.state = (std::filesystem::path(config_.document).parent_path() / text).string();
    }
    section.finish();
}

std::optional<AddressRange> ConfigReader::read_pool(const Value& item) {
    const auto text = as_string(item, problems_);
    if (!text) return std::nullopt;
    const auto pool = parse_address_range(*text);
    if (!pool) {
        problems_.add(item, fmt::format("{} is no pool: a prefix such as 192.168.50.200/29, "
                                        "FIRST-LAST of one family, or an address",
                                        shown(item)));
        return std::nullopt;
    }
    const auto refuse = [&](const std::string& what) {
        problems_.add(item, fmt::format("{} {}", *text, what));
        return std::nullopt;
    };
    for (const IpAddress& end : {pool->first, pool->last}) {
        if (const auto what = unusable(end); !what.empty()) {
            return refuse(fmt::format("holds {}, {}", to_string(end), what));
        }
    }
    for (const Claim& claim : claims_) {
        // A pool inside an uplink's subnet is the usual case.
        if (claim.owner.starts_with("uplink ") || !pool->overlaps(range_of(claim.prefix))) continue;
        return refuse(fmt::format("overlaps {} of {}", to_string(claim.prefix), claim.owner));
    }
    for (const AddressRange& other : config_.load_balancer.pools) {
        if (pool->overlaps(other)) {
            return refuse(fmt::format("overlaps the pool {}", to_string(other)));
        }
    }
    for (const UplinkConfig& uplink : config_.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (!pool->contains(own.address)) continue;
            return refuse(fmt::format("holds {}, an address of this node", to_string(own.address)));
        }
        for (const IpAddress& gateway : uplink.gateways) {
            if (!pool->contains(gateway)) continue;
            return refuse(fmt::format("holds {}, a gateway", to_string(gateway)));
        }
        for (const NeighborConfig& neighbor : uplink.neighbors) {
            if (!pool->contains(neighbor.address)) continue;
            return refuse(fmt::format("holds {}, a neighbour", to_string(neighbor.address)));
        }
    }
    return pool;
}

}  // namespace podlane::control
