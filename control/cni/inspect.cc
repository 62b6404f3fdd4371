#include "control/cni/inspect.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "control/netdev/netns.h"

namespace podlane::cni {
namespace {

template <class T>
T bytes_as(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

void add(const ifaddrs& entry, SeenInterface& out) {
    out.up = (entry.ifa_flags & IFF_UP) != 0;
    if (entry.ifa_addr == nullptr) return;
    if (entry.ifa_addr->sa_family == AF_PACKET) {
        const auto link = bytes_as<sockaddr_ll>(entry.ifa_addr);
        std::memcpy(out.mac.bytes.data(), link.sll_addr, out.mac.bytes.size());
    } else if (entry.ifa_addr->sa_family == AF_INET) {
        const auto address = bytes_as<sockaddr_in>(entry.ifa_addr);
        out.addresses.insert(bytes_as<Ipv4Address>(&address.sin_addr));
    } else if (entry.ifa_addr->sa_family == AF_INET6) {
        const auto address = bytes_as<sockaddr_in6>(entry.ifa_addr);
        out.addresses.insert(bytes_as<Ipv6Address>(&address.sin6_addr));
    }
}

/// /proc/net/route: interface, destination, gateway, in hexadecimal in the machine's byte order.
void add_v4_routes(const std::string& ifname, std::set<IpAddress>& out) {
    std::ifstream file("/proc/thread-self/net/route");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name, rest;
        uint32_t destination = 0, gateway = 0, mask = 0;
        words >> name >> std::hex >> destination >> gateway;
        for (int skipped = 0; skipped < 4; ++skipped) words >> rest;
        words >> mask;
        if (!words || name != ifname || destination != 0 || mask != 0) continue;
        out.insert(bytes_as<Ipv4Address>(&gateway));
    }
}

/// /proc/net/ipv6_route: destination, its length, source, its length, gateway, ..., interface.
void add_v6_routes(const std::string& ifname, std::set<IpAddress>& out) {
    std::ifstream file("/proc/thread-self/net/ipv6_route");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string destination, length, gateway, rest, name;
        words >> destination >> length >> rest >> rest >> gateway;
        while (words >> rest) name = rest;
        if (name != ifname || length != "00" || gateway.size() != 32) continue;
        std::string text;
        for (size_t at = 0; at < gateway.size(); at += 4) {
            text += (at == 0 ? "" : ":") + gateway.substr(at, 4);
        }
        const auto address = parse_ip(text);
        if (address && *address != IpAddress(Ipv6Address{})) out.insert(*address);
    }
}

}  // namespace

Result<SeenInterface> inspect_interface(const std::string& netns, const std::string& ifname) {
    SeenInterface seen;
    const Result<void> looked = control::in_network_namespace(netns, [&]() -> Result<void> {
        ifaddrs* list = nullptr;
        if (::getifaddrs(&list) != 0) {
            return Error{fmt::format("network namespace {}: {}", netns, std::strerror(errno))};
        }
        const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
        bool found = false;
        for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
            if (ifname != entry->ifa_name) continue;
            found = true;
            add(*entry, seen);
        }
        if (!found) return Error{fmt::format("{} has no interface {}", netns, ifname)};
        add_v4_routes(ifname, seen.default_gateways);
        add_v6_routes(ifname, seen.default_gateways);
        return {};
    });
    if (!looked.ok()) return looked.error();
    return seen;
}

Result<void> check_foreign_namespace(const std::string& netns) {
    struct stat there {
    }, here{};
    if (::stat(netns.c_str(), &there) != 0) {
        return Error{fmt::format("network namespace {}: {}", netns, std::strerror(errno))};
    }
    if (::stat("/proc/self/ns/net", &here) == 0 && there.st_dev == here.st_dev &&
        there.st_ino == here.st_ino) {
        return Error{fmt::format("network namespace {}: this is the node's own", netns)};
    }
    return {};
}

}  // namespace podlane::cni
