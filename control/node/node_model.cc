#include "control/node/node_model.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/config/config_place.h"
#include "control/node/object_files.h"
#include "control/node/pod_interface.h"

namespace podlane::control {

namespace {

/// Every UDP answer fits in one packet, and IPv6 requires this much.
constexpr uint16_t kLeastServerMtu = 1280;
constexpr const char* kDnsPortName = "dns";

NeighbourStatus status_of(const Neighbour& neighbour) {
    if (neighbour.is_resolved()) return NeighbourStatus::kResolved;
    return neighbour.state == NeighbourState::kFailed ? NeighbourStatus::kFailed
                                                      : NeighbourStatus::kUnresolved;
}

}  // namespace

NodeModel::NodeModel(NodeConfig config, NodeParts parts)
    : config_(std::move(config)),
      dataplane_(parts.dataplane),
      taps_(parts.taps),
      name_server_(parts.name_server),
      keeper_(parts.keeper),
      kept_taps_(parts.kept_taps),
      prepare_uplink_(std::move(parts.prepare_uplink)),
      now_ms_(std::move(parts.now_ms)),
      health_checks_changed_(std::move(parts.health_checks_changed)),
      started_ms_(now_ms_()),
      addresses_(config_),
      compiler_(config_),
      links_(config_, dataplane_),
      announcements_(dataplane_, links_),
      flow_watch_(dataplane_),
      peer_watch_(dataplane_),
      shortcut_(dataplane_, parts.kernel_flows),
      journal_(microseconds_since_1970()) {
    refused_.on_news([this](const RefusedObject& object, bool is_refused) {
        const ObjectKey& key = object.key;
        tell_event("refusals", is_namespaced(key.kind) ? key.name_space + "/" + key.name : key.name,
                   fmt::format("{} {}{}", kind_name(key.kind),
                               is_refused ? "refused: " : "no longer refused", object.message));
    });
}

NodeModel::~NodeModel() {
    // The workers run until the dataplane ends, so the interfaces are removed first, and the ports
    // of a generation that is still live are left to the dataplane.
    if (keeper_ != nullptr && !forget_) {
        kept_taps_->leave(false);
        leave_sockets_ = true;
    }
    clear_ports();
}

void NodeModel::clear_ports() noexcept {
    taps_.remove_together([this] { ports_.clear(); });
}

Result<void> NodeModel::start() {
    auto made = add_host_port();
    if (made.ok()) made = add_dns_port();
    if (made.ok()) made = add_static_ports();
    KeptState kept;
    if (made.ok() && keeper_ != nullptr) {
        kept = restore();
        links_.restore(kept.links, now_ms_());
        compiler_.count_from(kept.generation);
    }
    if (made.ok()) made = load_objects(std::move(kept.objects));
    if (!made.ok()) {
        if (keeper_ != nullptr) kept_taps_->leave(true);
        leave_sockets_ = keeper_ != nullptr;
        clear_ports();
        return made;
    }
    add_uplinks_to_shortcut();
    shortcut_.begin(now_ms_());
    announcements_.announce_own(now_ms_());
    is_started_ = true;
    tell_event("podlaned", config_.node,
               fmt::format("started with {} objects and {} pods' ports", store_.size(),
                           ports_.pods().size()));
    return {};
}

unsigned NodeModel::tap_queues() const {
    return tap_queues_for(dataplane_.workers().size());
}

Result<void> NodeModel::add_host_port() {
    if (!config_.host) return {};
    HostTapRequest request;
    request.ifname = config_.host->interface;
    request.queues = tap_queues();
    request.mac = pick_pod_mac("host/" + request.ifname);
    for (const PortInfo& port : dataplane_.ports()) {
        if (port.kind != PortKind::kUplink) continue;
        request.mac = port.mac;
        request.mtu = port.mtu;
        break;
    }
    for (const UplinkConfig& uplink : config_.uplinks) {
        request.addresses.insert(request.addresses.end(), uplink.addresses.begin(),
                                 uplink.addresses.end());
        for (const IpAddress& gateway : uplink.gateways) {
            const bool has_one = std::any_of(
                request.gateways.begin(), request.gateways.end(),
                [&](const IpAddress& other) { return other.is_v4() == gateway.is_v4(); });
            if (!has_one) request.gateways.push_back(gateway);
        }
    }
    request.cluster_cidrs = config_.cluster.pod_cidrs;
    request.cluster_cidrs.insert(request.cluster_cidrs.end(), config_.cluster.service_cidrs.begin(),
                                 config_.cluster.service_cidrs.end());
    for (const IpAddress& gateway : config_.pods.gateways()) {
        const bool has_one = std::any_of(
            request.routers.begin(), request.routers.end(),
            [&](const auto& router) { return router.address.is_v4() == gateway.is_v4(); });
        if (!has_one) request.routers.push_back({gateway, gateway_mac_of(config_)});
    }
    request.shortcut = shortcut_.is_on();
    auto tap = taps_.make_host_tap(request);
    if (!tap.ok()) {
        return Error{fmt::format("{}: {}", config_place(config_.document, "host.interface"),
                                 tap.error().message)};
    }
    announcements_.set_kernel(std::move(tap->set_route), std::move(tap->set_rules));
    const int ifindex = tap->node_end;
    auto port = LocalPort::open(dataplane_,
                                {.name = request.ifname,
                                 .kind = PortKind::kHost,
                                 .ifname = request.ifname,
                                 .mac = request.mac,
                                 .mtu = request.mtu,
                                 .is_pair = ifindex != 0},
                                std::move(tap).value());
    if (!port.ok()) {
        return Error{fmt::format("{}: {}", config_place(config_.document, "host.interface"),
                                 port.error().message)};
    }
    if (ifindex != 0) shortcut_.add_host(port->id(), ifindex, request.mac);
    ports_.set_host(std::move(port).value());
    return {};
}

Result<void> NodeModel::add_dns_port() {
    if (config_.cluster.dns.empty() || name_server_ == nullptr) return {};
    const auto failed = [this](const Error& error) {
        return Error{
            fmt::format("{}: the DNS server's port cannot be made: {}; dns: off does "
                        "without",
                        config_place(config_.document, "cluster.dns"), error.message)};
    };
    ServerTapRequest request;
    request.mac = pick_pod_mac("cluster/dns");
    request.mtu = std::max(config_.pods.mtu, kLeastServerMtu);
    request.queues = tap_queues();
    request.addresses = config_.cluster.dns;
    request.router = gateway_mac_of(config_);
    auto made = taps_.make_server_tap(request);
    if (!made.ok()) return failed(made.error());
    auto port = LocalPort::open(dataplane_,
                                {.name = kDnsPortName,
                                 .kind = PortKind::kDns,
                                 .ifname = request.ifname,
                                 .mac = request.mac,
                                 .mtu = request.mtu},
                                std::move(made->tap));
    if (!port.ok()) return failed(port.error());
    ports_.set_dns(std::move(port).value());
    if (auto opened = name_server_->open(made->netns_path, request.addresses); !opened.ok()) {
        return failed(opened.error());
    }
    return {};
}

Result<void> NodeModel::add_static_ports() {
    for (const PodPortConfig& wanted : config_.pods.ports) {
        auto port = LocalPort::open_device(
            dataplane_,
            {.name = wanted.key(), .device = wanted.device.text(), .mtu = config_.pods.mtu});
        if (!port.ok()) {
            const auto index = &wanted - config_.pods.ports.data();
            const std::string path = fmt::format("pods.ports[{}].device", index);
            return Error{fmt::format("{}: {}: {}", config_place(config_.document, path),
                                     wanted.key(), port.error().message)};
        }
        links_.add_mac(wanted.mac, port->id());
        ports_.add({.port = std::move(port).value(),
                    .name = wanted.key(),
                    .pod = wanted.key(),
                    .mac = wanted.mac,
                    .addresses = wanted.addresses,
                    .mtu = config_.pods.mtu,
                    .is_static = true});
    }
    return {};
}

void NodeModel::restore_addresses() {
    if (config_.load_balancer.pools.empty()) return;
    auto memory = load_memory(config_.load_balancer.state);
    if (memory.ok()) {
        addresses_.restore(std::move(*memory));
    } else {
        spdlog::warn("addresses of Services may change: {}", memory.error().message);
    }
}

Result<void> NodeModel::load_objects(std::vector<KeptObject> kept) {
    restore_addresses();
    auto parsed = parse_object_files(config_.objects);
    if (!parsed.ok()) return parsed.error();
    for (const std::string& notice : parsed->notices) spdlog::info("{}", notice);
    if (!kept.empty() && publish_kept(kept, parsed->objects)) return {};
    ChangeSet plan = store_.plan_apply(parsed->objects);
    auto addresses = addresses_.complete(store_, plan);
    store_.commit(plan);
    auto notices = publish(&plan, true);
    if (!notices.ok()) {
        store_.revert(plan);
        return notices.error();
    }
    for (const std::string& notice : *notices) spdlog::warn("{}", notice);
    if (addresses) accept(std::move(*addresses));
    return {};
}

TopologyInput NodeModel::topology() const {
    TopologyInput input;
    input.ports = dataplane_.ports();
    for (const auto& [name, pod] : ports_.pods()) {
        input.pods.push_back(
            {pod.pod, pod.port.id(), pod.mac, pod.addresses, pod.mtu, pod.host_ports});
    }
    for (const auto& [key, neighbour] : links_.neighbours().all()) {
        input.neighbours.push_back({key.port, key.address, neighbour.mac, status_of(neighbour)});
    }
    for (const auto& [mac, learned] : links_.macs().learned()) {
        input.learned.push_back({mac, learned.port});
    }
    return input;
}

Result<std::vector<std::string>> NodeModel::publish(const ChangeSet* objects, bool topology_too,
                                                    OnConflict on_conflict) {
    Changes changes;
    changes.objects = objects;
    changes.on_conflict = on_conflict;
    std::optional<TopologyInput> input;
    if (topology_too || pending_) {
        input = topology();
        changes.topology = &*input;
    }
    auto compiled = compiler_.next(store_, changes);
    if (!compiled.ok()) return compiled.error();
    shortcut_.before(*compiled->snapshot);
    if (!dataplane_.publish(compiled->snapshot)) {
        for (std::string& line : standstill_.notices(compiled->snapshot->generation)) {
            compiled->notices.push_back(std::move(line));
        }
    }
    ports_.set_published();
    if (keeper_ != nullptr) keeper_->put_generation(compiled->snapshot->generation);
    if (name_server_ != nullptr) name_server_->set_zone(compiled->snapshot->dns);
    pending_ = false;
    refused_.follow(compiler_.refused());
    for (const Announcements::Moved& moved :
         announcements_.follow(compiler_.announcer(), now_ms_())) {
        tell({.kind = "addresses",
              .name = to_string(moved.address),
              .text = moved.text,
              .about = moved.service});
    }
    announcements_.follow_own_frontends(compiler_.services(), *compiled->snapshot);
    if (links_.set_wanted(compiler_.wanted_neighbours(), now_ms_())) pending_ = true;
    if (changes.topology != nullptr) tell_topology();
    tell_health_checks();
    return std::move(compiled->notices);
}

void NodeModel::tell_health_checks() {
    const ServiceCompiler& services = compiler_.services();
    if (!health_checks_changed_ || services.health_epoch() == health_epoch_) return;
    health_epoch_ = services.health_epoch();
    // The node addresses for NodePorts, as in kube-proxy; without a host interface the kernel has
    // none.
    std::vector<IpAddress> addresses;
    if (config_.host) {
        const Snapshot& live = *compiler_.current();
        for (const auto& own : live.v4.node_port_addresses) addresses.emplace_back(own);
        for (const auto& own : live.v6.node_port_addresses) addresses.emplace_back(own);
    }
    health_checks_changed_(services.health_checks(), addresses);
}

LiveView NodeModel::live() const {
    return {config_,
            store_,
            dataplane_,
            *compiler_.current(),
            links_.neighbours(),
            links_.macs(),
            ports_.pods(),
            ports_,
            owners_,
            addresses_,
            compiler_.announcer(),
            shortcut_,
            now_ms_()};
}

}  // namespace podlane::control
