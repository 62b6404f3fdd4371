#include "control/daemon/uplink_guards.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "control/config/config_place.h"
#include "control/netdev/unique_fd.h"
#include "control/node/pod_interface.h"
#include "control/node/uplink_device.h"

namespace podlane::control {

namespace {

void log_of(KernelInterfaceGuard& guard) {
    for (const std::string& note : guard.take_notes()) spdlog::info("{}", note);
    for (const std::string& warning : guard.take_warnings()) spdlog::warn("{}", warning);
}

}  // namespace

std::string guard_memory_of(const std::string& socket, const std::string& ifname) {
    return socket + "." + ifname + ".json";
}

Result<Guards> guard_interfaces(const NodeConfig& config, TakeOver* former) {
    Guards guards;
    for (const UplinkConfig& uplink : config.uplinks) {
        const auto shared = shared_kernel_interface(uplink.device);
        if (!shared) continue;
        auto guard = guard_kernel_interface(
            shared->ifname, shared->use, uplink.addresses,
            guard_memory_of(config.socket, shared->ifname),
            former != nullptr ? former->take_program(shared->ifname) : UniqueFd());
        if (!guard.ok()) {
            const std::string path = uplink_device_path(config, uplink.name);
            return Error{
                fmt::format("{}: {}", config_place(config.document, path), guard.error().message)};
        }
        if (config.host) {
            if (auto done = guard->set_host(config.host->interface, config.node); !done.ok())
                return done.error();
        }
        log_of(*guard);
        guards.push_back(std::move(guard).value());
    }
    return guards;
}

Result<void> guard_again(const UplinkConfig& uplink, const std::string& socket, Guards& guards) {
    const auto shared = shared_kernel_interface(uplink.device);
    if (!shared) return {};
    std::string host, owner;
    for (auto at = guards.begin(); at != guards.end(); ++at) {
        if (at->ifname() != shared->ifname) continue;
        host = at->host();
        owner = at->owner();
        at->leave();  // the next guard finds its file, if it is the same NIC
        guards.erase(at);
        break;
    }
    auto guard = guard_kernel_interface(shared->ifname, shared->use, uplink.addresses,
                                        guard_memory_of(socket, shared->ifname));
    if (!guard.ok()) return guard.error();
    if (auto done = guard->set_host(host, owner); !done.ok()) return done;
    log_of(*guard);
    guards.push_back(std::move(guard).value());
    return {};
}

DeviceNeeds device_needs(const NodeConfig& config) {
    DeviceNeeds needs;
    for (const UplinkConfig& uplink : config.uplinks) {
        const std::string driver = kernel_driver(uplink.device);
        needs.uio_nic = needs.uio_nic || driver.find("uio") != std::string::npos;
        needs.kernel_interface =
            needs.kernel_interface || shared_kernel_interface(uplink.device).has_value();
    }
    return needs;
}

Result<std::map<std::string, TapPortSpec>> open_uplink_taps(const NodeConfig& config,
                                                            PodAttacher& pods, size_t workers) {
    std::map<std::string, TapPortSpec> out;
    for (const UplinkConfig& uplink : config.uplinks) {
        const auto nic = nic_beside_tap(uplink.device);
        if (!nic) continue;
        auto tap = pods.uplink(*nic, uplink.mtu, tap_queues_for(workers));
        auto port = tap.ok() ? tap_port_of(uplink, std::move(tap->queue_fds), config.pods.shortcut)
                             : Result<TapPortSpec>(tap.error());
        if (!port.ok()) {
            const std::string path = uplink_device_path(config, uplink.name);
            return Error{
                fmt::format("{}: {}", config_place(config.document, path), port.error().message)};
        }
        out.emplace(uplink.name, std::move(*port));
    }
    return out;
}

void look_at_guards(Guards& guards) {
    for (KernelInterfaceGuard& guard : guards) {
        guard.look();
        log_of(guard);
    }
}

void restore_and_log(KernelInterfaceGuard& guard) noexcept {
    guard.restore();
    log_of(guard);
}

std::vector<HandedProgram> programs_of(const Guards& guards) {
    std::vector<HandedProgram> out;
    for (const KernelInterfaceGuard& guard : guards) {
        if (guard.program() >= 0) out.push_back({guard.ifname(), guard.program()});
    }
    return out;
}

}  // namespace podlane::control
