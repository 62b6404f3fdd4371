// What is taken over from uplinks' interfaces as the workers need it, and the two commands about
// it: `podlaned --dry-run` and `--give-back`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "control/config/config_place.h"
#include "control/daemon/uplink_guards.h"
#include "control/netdev/host_rules.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/rtnl.h"
#include "control/node/uplink_device.h"

namespace podlane::control {

namespace {

constexpr uint32_t kMainTable = 254;
/// How long a killed process may take to let go of its host interface.
constexpr int kTries = 50;
constexpr std::chrono::milliseconds kBetweenTries{10};

/// Whether the cluster itself decides about these addresses.
bool is_clusters(const NodeConfig& config, const IpPrefix& prefix) {
    return std::ranges::any_of(std::to_array({&config.cluster.pod_cidrs,
                                              &config.cluster.service_cidrs, &config.pods.cidrs}),
                               [&](const std::vector<IpPrefix>* list) {
                                   return std::ranges::any_of(*list, [&](const IpPrefix& each) {
                                       return each.contains(prefix.address) &&
                                              each.length <= prefix.length;
                                   });
                               });
}

bool has_gateway(const UplinkConfig& uplink, bool v4) {
    return std::ranges::any_of(uplink.gateways,
                               [&](const IpAddress& each) { return each.is_v4() == v4; });
}

/// The routes that workers can follow, the preferred ones first.
std::vector<RouteView> usable_routes(const LinkObjects& objects) {
    std::vector<RouteView> out;
    for (const LinkRecord& record : objects.routes) {
        auto view = route_view(record);
        if (view && view->via && view->via->is_v4() == view->destination.address.is_v4() &&
            !view->from && view->table == kMainTable && view->out.size() == 1) {
            out.push_back(std::move(*view));
        }
    }
    std::ranges::stable_sort(out, {}, &RouteView::metric);
    return out;
}

void add_routes(const NodeConfig& config, const LinkObjects& objects, UplinkConfig& uplink) {
    for (const RouteView& route : usable_routes(objects)) {
        if (route.destination.length == 0) {
            if (!has_gateway(uplink, route.via->is_v4())) uplink.gateways.push_back(*route.via);
            continue;
        }
        const bool is_known = std::ranges::any_of(uplink.routes, [&](const UplinkRoute& each) {
            return each.destination == route.destination;
        });
        const bool is_own = std::ranges::any_of(
            uplink.addresses, [&](const auto& own) { return own.subnet() == route.destination; });
        if (is_known || is_own || is_clusters(config, route.destination)) continue;
        uplink.routes.push_back({route.destination, *route.via});
    }
}

void add_neighbours(const LinkObjects& objects, UplinkConfig& uplink) {
    for (const LinkRecord& record : objects.neighbours) {
        const auto view = neighbour_view(record);
        const bool is_known =
            view && std::ranges::any_of(uplink.neighbors, [&](const NeighborConfig& each) {
                return each.address == view->address;
            });
        if (view && !is_known) uplink.neighbors.push_back({view->address, view->mac});
    }
}

/// Routes for some sources or of other tables: the node's kernel has them on the host interface,
/// but workers look at destinations alone.
std::vector<std::string> limits_of(const UplinkConfig& uplink, const LinkObjects& objects) {
    std::vector<std::string> out;
    for (const LinkRecord& record : objects.routes) {
        const auto route = route_view(record);
        if (!route || (!route->from && route->table == kMainTable && route->out.size() == 1)) {
            continue;
        }
        const bool is_same =
            route->via && std::ranges::find(uplink.gateways, *route->via) != uplink.gateways.end();
        if (is_same) continue;
        out.push_back(fmt::format(
            "{}: the node's kernel follows it, but packets then leave by the routes of uplink {}",
            to_text(record), uplink.name));
    }
    return out;
}

const TakenLink* link_of(const std::vector<TakenLink>& taken, const UplinkConfig& uplink) {
    const auto shared = shared_kernel_interface(uplink.device);
    const auto found = std::ranges::find_if(taken, [&](const TakenLink& each) {
        return shared && each.place.ifname == shared->ifname;
    });
    return found != taken.end() ? &*found : nullptr;
}

/// The files that guard_memory_of() names, of whatever interfaces.
std::vector<std::string> guard_memories_of(const std::string& socket) {
    std::vector<std::string> out;
    const std::filesystem::path path(socket);
    std::error_code failed;
    for (const auto& each : std::filesystem::directory_iterator(path.parent_path(), failed)) {
        const std::string name = each.path().filename().string();
        if (name.starts_with(path.filename().string() + ".") && name.ends_with(".json")) {
            out.push_back(each.path().string());
        }
    }
    std::ranges::sort(out);
    return out;
}

/// True when no such interface is there any more.
bool remove_host_interface(const std::string& ifname, const std::string& owner) {
    for (int tries = 0; tries < kTries; ++tries) {
        remove_left_tap(ifname, owner);
        auto rtnl = Rtnl::open();
        const auto link =
            rtnl.ok() ? rtnl->find_link(ifname) : Result<std::optional<LinkInfo>>(rtnl.error());
        if (link.ok() && !link->has_value()) return true;
        std::this_thread::sleep_for(kBetweenTries);
    }
    return false;
}

}  // namespace

std::vector<TakenLink> taken_links(const Guards& guards) {
    std::vector<TakenLink> out;
    for (const KernelInterfaceGuard& guard : guards) out.push_back(guard.taken());
    return out;
}

NodeConfig with_taken_routes(NodeConfig config, const std::vector<TakenLink>& taken) {
    const NodeConfig before = config;
    for (UplinkConfig& uplink : config.uplinks) {
        const TakenLink* link = link_of(taken, uplink);
        if (link == nullptr) continue;
        add_routes(before, link->objects, uplink);
        add_neighbours(link->objects, uplink);
    }
    return config;
}

std::vector<std::string> limits_of_taken_routes(const NodeConfig& config,
                                                const std::vector<TakenLink>& taken) {
    std::vector<std::string> out;
    for (const UplinkConfig& uplink : config.uplinks) {
        const TakenLink* link = link_of(taken, uplink);
        if (link == nullptr) continue;
        for (std::string& line : limits_of(uplink, link->objects)) {
            out.push_back(fmt::format("interface {}: {}", link->place.ifname, line));
        }
    }
    return out;
}

Result<std::string> preview(const NodeConfig& config) {
    std::string out;
    std::vector<TakenLink> taken;
    const std::string host = config.host ? config.host->interface : "nowhere (there is no `host`)";
    for (const UplinkConfig& uplink : config.uplinks) {
        const auto shared = shared_kernel_interface(uplink.device);
        if (!shared) {
            out += fmt::format("uplink {}: its device is not the kernel's\n", uplink.name);
            continue;
        }
        const auto there = preview_take_over(shared->ifname, uplink.addresses,
                                             guard_memory_of(config.socket, shared->ifname));
        if (!there.ok()) {
            const std::string path = uplink_device_path(config, uplink.name);
            return Error{
                fmt::format("{}: {}", config_place(config.document, path), there.error().message)};
        }
        out += fmt::format("interface {}: {} to {}\n", shared->ifname,
                           there->is_taken ? "has moved" : "would move", host);
        for (const std::string& line : there->lines) out += fmt::format("    {}\n", line);
        if (there->lines.empty()) out += "    nothing\n";
        taken.push_back(there->link);
    }
    const NodeConfig with = with_taken_routes(config, taken);
    for (const std::string& line : limits_of_taken_routes(with, taken)) out += line + "\n";
    return out;
}

GivenBack give_back(const std::string& socket) {
    GivenBack out;
    std::string removed;
    for (const std::string& path : guard_memories_of(socket)) {
        const auto memory = load_guard_memory(path);
        if (!memory.ok()) out.failures.push_back(memory.error().message);
        if (!memory.ok() || !memory->has_value()) continue;
        const GuardMemory& left = **memory;
        // First the host interface: its routes stand in the way of the same ones.
        if (!left.host.empty() && left.host != removed) {
            HostRules::remove_left();
            removed = left.host;
            if (!remove_host_interface(left.host, left.owner)) {
                out.failures.push_back(fmt::format(
                    "interface {}: it stays: it is open in a process, or is another program's",
                    left.host));
            }
        }
        auto given = give_back_kernel_interface(left.ifname, path);
        if (!given.ok()) {
            out.failures.push_back(given.error().message);
        } else if (*given) {
            for (const std::string& line : (*given)->done) {
                out.done.push_back(fmt::format("interface {}: {}", left.ifname, line));
            }
            std::ranges::move((*given)->failures, std::back_inserter(out.failures));
        } else {
            out.failures.push_back(fmt::format(
                "interface {}: it is gone, or another one has its name: nothing is given back",
                left.ifname));
        }
    }
    return out;
}

}  // namespace podlane::control
