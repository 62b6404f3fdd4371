#include "control/netdev/host_route.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/netdev/rtnl.h"

namespace podlane::control {

namespace {

bool is_link_local(const IpAddress& address) {
    return address.is_v6() && address.as<V6>().is_link_local();
}

Result<void> set_route(const std::string& ifname, const IpAddress& address, bool there) {
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto link = rtnl->find_link(ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return there ? Result<void>(Error{"it is gone"}) : Result<void>();
    const int ifindex = (*link)->ifindex;
    const auto own = rtnl->addresses(ifindex);
    if (!own.ok()) return own.error();
    const auto source = std::find_if(own->begin(), own->end(), [&](const InterfaceAddress& each) {
        return each.address.is_v4() == address.is_v4() && !is_link_local(each.address);
    });
    if (source == own->end()) return {};
    const KernelRoute route{
        .destination = {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)},
        .via = {},
        .preferred_source = source->address,
        .protocol = kRouteProtocol};
    const auto done = there ? rtnl->add_route(ifindex, route) : rtnl->delete_route(ifindex, route);
    if (!done.ok()) return done.error();
    return {};
}

}  // namespace

Result<void> set_host_route(const std::string& ifname, const IpAddress& address, bool there) {
    auto done = set_route(ifname, address, there);
    if (done.ok()) return done;
    return Error{fmt::format("interface {}: {}", ifname, done.error().message)};
}

}  // namespace podlane::control
