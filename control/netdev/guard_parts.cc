#include "control/netdev/guard_parts.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "control/netdev/sysctl.h"
#include "control/netdev/unique_fd.h"

namespace podlane::control {

std::optional<uint32_t> run_ethtool(const std::string& ifname, uint32_t command, uint32_t value) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return std::nullopt;
    ethtool_value request{.cmd = command, .data = value};
    ifreq ifr{};
    ifname.copy(ifr.ifr_name, IFNAMSIZ - 1);
    ifr.ifr_data = reinterpret_cast<char*>(&request);
    if (::ioctl(socket.get(), SIOCETHTOOL, &ifr) != 0) return std::nullopt;
    return request.data;
}

bool is_link_local(const LinkRecord& record) {
    const auto view = address_view(record);
    return view && view->address.address.is_v6() && view->address.address.as<V6>().is_link_local();
}

std::vector<InterfaceAddress> addresses_of(const std::vector<LinkRecord>& records) {
    std::vector<InterfaceAddress> out;
    for (const LinkRecord& each : records) {
        if (const auto view = address_view(each); view && !is_link_local(each)) {
            out.push_back(view->address);
        }
    }
    return out;
}

std::pair<std::vector<LinkRecord>, std::vector<LinkRecord>> split_own(
    const std::vector<LinkRecord>& addresses, const std::vector<InterfaceAddress>& own) {
    std::pair<std::vector<LinkRecord>, std::vector<LinkRecord>> out;
    for (const LinkRecord& each : addresses) {
        const auto view = address_view(each);
        const bool is_own = view && std::ranges::any_of(own, [&](const InterfaceAddress& one) {
                                return one.address == view->address.address;
                            });
        (is_own || is_link_local(each) ? out.first : out.second).push_back(each);
    }
    return out;
}

void keep_newest(std::vector<LinkRecord>& known, const LinkRecord& record) {
    const auto same = std::ranges::find_if(
        known, [&](const LinkRecord& each) { return is_same_object(each, record); });
    if (same != known.end()) {
        *same = record;
    } else {
        known.push_back(record);
    }
}

std::vector<std::string> lines_of(const LinkObjects& objects) {
    std::vector<std::string> out;
    for (const auto* records :
         {&objects.addresses, &objects.neighbours, &objects.routes, &objects.rules}) {
        for (const LinkRecord& each : *records) {
            if (!is_link_local(each)) out.push_back(to_text(each));
        }
    }
    return out;
}

int followed_advertisements(const std::string& ifname) {
    const auto is = [&](const char* key, const char* value) {
        const auto seen = read_sysctl(interface_sysctl("ipv6", ifname, key));
        return seen.ok() && *seen == value;
    };
    if (is("accept_ra", "2")) return 2;
    return is("accept_ra", "1") && is("forwarding", "0") ? 1 : 0;
}

bool is_memory_of(const GuardMemory& memory, const LinkInfo& link) {
    return memory.ifindex == link.ifindex || (!link.mac.is_zero() && memory.mac == link.mac);
}

std::string joined_addresses(const std::vector<InterfaceAddress>& addresses) {
    std::string out;
    for (const auto& address : addresses) {
        out += (out.empty() ? "" : ", ") + to_string(address);
    }
    return out;
}

}  // namespace podlane::control
