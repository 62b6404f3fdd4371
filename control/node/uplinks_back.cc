// Takes uplinks back whose devices were gone and have returned.
#include <fmt/format.h>
#include <net/if.h>
#include <spdlog/spdlog.h>

#include <iterator>

#include "control/node/node_model.h"
#include "control/node/uplink_device.h"

namespace podlane::control {

namespace {

/// Time between two attempts with a device that seemed to be there.
constexpr uint64_t kTryMs = 2000;

/// Whether an attempt is worthwhile.
bool seems_to_be_there(const Device& device) {
    if (device.kind == DeviceKind::kPci) {
        // Bound to a userspace driver, not to the kernel's own.
        const std::string name = kernel_driver(device);
        return name.starts_with("vfio") || name.find("uio") != std::string::npos;
    }
    const auto ifname = kernel_interface(device);
    return !ifname || ifname->empty() || ::if_nametoindex(ifname->c_str()) != 0;
}

}  // namespace

void NodeModel::take_back_uplinks(uint64_t now_ms) {
    for (auto at = lost_uplinks_.begin(); at != lost_uplinks_.end();) {
        at = take_back(at->first, at->second, now_ms) ? lost_uplinks_.erase(at) : std::next(at);
    }
}

Result<PortId> NodeModel::reopen(const UplinkConfig& uplink) {
    const auto nic = nic_beside_tap(uplink.device);
    if (!nic) {
        return dataplane_.add_device_port({.name = uplink.name,
                                           .kind = PortKind::kUplink,
                                           .device = uplink.device.text(),
                                           .mtu = uplink.mtu});
    }
    auto tap = taps_.make_uplink_tap(*nic, uplink.mtu, tap_queues());
    if (!tap.ok()) return tap.error();
    auto spec = tap_port_of(uplink, std::move(tap->queue_fds), shortcut_.is_on());
    if (!spec.ok()) return spec.error();
    auto port = dataplane_.add_tap_port(std::move(*spec));
    if (port.ok()) shortcut_.add_uplink(*port, tap->node_end);
    return port;
}

void NodeModel::add_uplinks_to_shortcut() {
    for (const auto& [port, uplink] : links_.uplinks()) {
        const auto nic = nic_beside_tap(uplink->device);
        if (!nic) continue;
        shortcut_.add_uplink(port, static_cast<int>(::if_nametoindex(nic->c_str())));
    }
}

bool NodeModel::take_back(PortId port, LostUplink& lost, uint64_t now_ms) {
    const UplinkConfig& uplink = *lost.uplink;
    if (now_ms < lost.try_again_ms || !seems_to_be_there(uplink.device)) return false;
    lost.try_again_ms = now_ms + kTryMs;
    const auto failed = [&](const Error& error) {
        if (error.message != lost.failure) {
            spdlog::warn("uplink {}: not taken back yet: {}", uplink.name, error.message);
        }
        lost.failure = error.message;
        return false;
    };
    if (prepare_uplink_) {
        if (auto done = prepare_uplink_(uplink); !done.ok()) return failed(done.error());
    }
    // Close the old port first: a device can have only one.
    if (!lost.is_closed) {
        lost.is_closed = true;
        links_.drop_uplink(port);
        shortcut_.remove_port(port);
        dataplane_.remove_port(port);
        pending_ = true;
    }
    const auto opened = reopen(uplink);
    if (!opened.ok()) return failed(opened.error());
    links_.take_back_uplink(uplink, *opened);
    pending_ = true;
    publish_pending();
    // Hosts on that link learn our MAC address, which may have changed.
    announcements_.announce_own(now_ms);
    const std::string line = fmt::format("uplink {}: its device is back", uplink.name);
    spdlog::info("{}", line);
    tell_event("links", uplink.name, line);
    tell_programs("ports", "");
    return true;
}

}  // namespace podlane::control
