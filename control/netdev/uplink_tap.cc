#include "control/netdev/uplink_tap.h"

#include <fmt/format.h>

#include <optional>
#include <thread>
#include <utility>

#include "control/netdev/rtnl.h"
#include "control/netdev/tap.h"
#include "control/netdev/tap_parts.h"

namespace podlane::control {

namespace {

/// Of the TAP's end in the kernel, which nobody addresses.
constexpr MacAddress kTapMac{{2, 0, 0, 0, 0, 1}};

}  // namespace

Result<KeptTap> make_uplink_tap(const std::string& nic, uint16_t mtu, unsigned queues,
                                const std::string& owner, const ConnectNic& connect) {
    const auto failed = [&](const Error& error) {
        return Error{fmt::format("interface {}: {}", nic, error.message)};
    };
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return failed(rtnl.error());
    const auto link = rtnl->find_link(nic);
    if (!link.ok()) return failed(link.error());
    if (!link->has_value()) return failed({"there is no such network interface"});
    TapRequest request;
    request.ifname = fmt::format("plu{}", (*link)->ifindex);
    request.alias = mark_of(owner);
    request.mac = kTapMac;
    request.mtu = mtu;
    request.queues = queues;
    for (int tries = 0; tries < kTries; ++tries) {
        const auto there = rtnl->find_link(request.ifname);
        if (there.ok() && !there->has_value()) break;
        std::this_thread::sleep_for(kBetweenTries);
    }
    auto tap = create_tap(request);
    if (!tap.ok()) return failed(tap.error());
    if (auto done = connect((*link)->ifindex, tap->ifindex(), (*link)->mac); !done.ok()) {
        return failed(done.error());
    }
    return KeptTap{tap->release_queue_fds(), {}, false, (*link)->ifindex};
}

}  // namespace podlane::control
