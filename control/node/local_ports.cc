#include "control/node/local_ports.h"

#include <algorithm>
#include <utility>

#include "control/node/host_ports.h"

namespace podlane::control {

namespace {

/// The length to which container runtimes shorten an id.
constexpr size_t kShortId = 12;

}  // namespace

PortTotals port_totals(const Dataplane& dataplane, PortId port) {
    PortTotals sum;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const PortCounters& counters = dataplane.counters(worker.id).ports[index_of(port)];
        sum.rx_packets += counters.rx_packets.get();
        sum.rx_bytes += counters.rx_bytes.get();
        sum.tx_packets += counters.tx_packets.get();
        sum.tx_bytes += counters.tx_bytes.get();
        sum.rx_dropped += counters.rx_dropped.get();
        sum.tx_dropped += counters.tx_dropped.get();
    }
    return sum;
}

LocalPort::LocalPort(Dataplane& dataplane, PortId id, std::function<void()> remove_tap)
    : dataplane_(&dataplane),
      id_(id),
      remove_tap_(std::move(remove_tap)),
      baseline_(port_totals(dataplane, id)) {}

Result<LocalPort> LocalPort::open(Dataplane& dataplane, TapPortSpec spec, MadeTap tap) {
    spec.vnet_header_bytes = kTapHeaderBytes;
    spec.queue_fds = std::move(tap.queue_fds);
    auto port = dataplane.add_tap_port(std::move(spec));
    if (!port.ok()) {
        tap.remove();
        return port.error();
    }
    LocalPort made(dataplane, *port, std::move(tap.remove));
    made.node_end_ = tap.node_end;
    return made;
}

Result<LocalPort> LocalPort::open_device(Dataplane& dataplane, const DevicePortSpec& spec,
                                         std::function<void()> at_end) {
    auto port = dataplane.add_device_port(spec);
    if (!port.ok()) return port.error();
    return LocalPort(dataplane, *port, std::move(at_end));
}

LocalPort::LocalPort(LocalPort&& from) noexcept
    : dataplane_(std::exchange(from.dataplane_, nullptr)),
      id_(from.id_),
      remove_tap_(std::move(from.remove_tap_)),
      baseline_(from.baseline_),
      node_end_(from.node_end_),
      published_(from.published_) {}

LocalPort& LocalPort::operator=(LocalPort&& from) noexcept {
    if (this == &from) return *this;
    end();
    dataplane_ = std::exchange(from.dataplane_, nullptr);
    id_ = from.id_;
    remove_tap_ = std::move(from.remove_tap_);
    baseline_ = from.baseline_;
    node_end_ = from.node_end_;
    published_ = from.published_;
    return *this;
}

LocalPort::~LocalPort() {
    end();
}

void LocalPort::end() noexcept {
    if (dataplane_ == nullptr) return;
    // The interface's losses cannot be read any more once it is gone.
    static_cast<void>(dataplane_->device_losses());
    if (const auto remove_tap = end_but_for_tap()) remove_tap();
}

std::function<void()> LocalPort::end_but_for_tap() noexcept {
    if (dataplane_ == nullptr) return {};
    if (!published_) dataplane_->remove_port(id_);
    dataplane_ = nullptr;
    return std::exchange(remove_tap_, {});
}

PodPortKey AttachedPod::key() const {
    return container.empty() ? PodPortKey{pod, ""} : PodPortKey{container, ifname};
}

const AttachedPod* LocalPorts::find(const PodPortKey& key) const {
    const auto named = names_.find(key);
    return named != names_.end() ? &pods_.at(named->second) : nullptr;
}

const AttachedPod* LocalPorts::find(std::string_view port_or_pod) const {
    if (const auto at = pods_.find(port_or_pod); at != pods_.end()) return &at->second;
    const auto at = std::ranges::find_if(
        pods_, [&](const auto& entry) { return entry.second.pod == port_or_pod; });
    return at != pods_.end() ? &at->second : nullptr;
}

const AttachedPod* LocalPorts::at(PortId id) const {
    const auto at = std::ranges::find_if(
        pods_, [id](const auto& entry) { return entry.second.port.id() == id; });
    return at != pods_.end() ? &at->second : nullptr;
}

std::vector<PodPortKey> LocalPorts::of_container(std::string_view container,
                                                 std::string_view ifname) const {
    std::vector<PodPortKey> keys;
    for (const auto& [name, pod] : pods_) {
        if (pod.container != container || container.empty()) continue;
        if (ifname.empty() || pod.ifname == ifname) keys.push_back(pod.key());
    }
    return keys;
}

const AttachedPod* LocalPorts::owner_of(const IpAddress& address) const {
    const auto at = std::ranges::find_if(pods_, [&](const auto& entry) {
        return std::ranges::binary_search(entry.second.addresses, address);
    });
    return at != pods_.end() ? &at->second : nullptr;
}

bool LocalPorts::has_mac(const MacAddress& mac) const {
    return std::ranges::any_of(pods_, [&](const auto& entry) { return entry.second.mac == mac; });
}

const AttachedPod* LocalPorts::host_port_user(const ContainerPort& port,
                                              std::string_view but_for) const {
    const auto at = std::ranges::find_if(pods_, [&](const auto& entry) {
        return entry.second.pod != but_for &&
               std::ranges::any_of(entry.second.host_ports, [&](const ContainerPort& other) {
                   return do_overlap(port, other);
               });
    });
    return at != pods_.end() ? &at->second : nullptr;
}

std::string LocalPorts::free_name(const std::string& pod, const std::string& ifname,
                                  const std::string& container) const {
    if (!pods_.contains(pod)) return pod;
    std::string name = pod + ":" + ifname;
    if (!pods_.contains(name)) return name;
    name += "@" + container.substr(0, kShortId);
    // Two containers' ids begin alike.
    return pods_.contains(name) ? pod + ":" + ifname + "@" + container : name;
}

PortTotals LocalPorts::baseline(PortId id) const {
    if (const AttachedPod* pod = at(id)) return pod->port.baseline();
    for (const auto* port : {&dns_, &host_}) {
        if (*port && (*port)->id() == id) return (*port)->baseline();
    }
    return {};
}

AttachedPod& LocalPorts::add(AttachedPod pod) {
    names_[pod.key()] = pod.name;
    std::string name = pod.name;
    return pods_.insert_or_assign(std::move(name), std::move(pod)).first->second;
}

HostPorts LocalPorts::take_host_ports(std::string_view pod,
                                      const std::vector<ContainerPort>& wanted) {
    HostPorts before;
    for (auto& [name, each] : pods_) {
        if (each.pod != pod) continue;
        std::vector<ContainerPort> rest;
        for (const ContainerPort& port : each.host_ports) {
            const bool is_wanted = std::ranges::any_of(
                wanted, [&](const ContainerPort& other) { return do_overlap(port, other); });
            if (!is_wanted) rest.push_back(port);
        }
        if (rest.size() == each.host_ports.size()) continue;
        before.emplace(name, std::exchange(each.host_ports, std::move(rest)));
    }
    return before;
}

void LocalPorts::set_host_ports(HostPorts ports) {
    for (auto& [name, list] : ports) pods_.at(name).host_ports = std::move(list);
}

AttachedPod LocalPorts::take(const PodPortKey& key) {
    const auto named = names_.extract(key);
    auto node = pods_.extract(named.mapped());
    return std::move(node.mapped());
}

void LocalPorts::set_published() noexcept {
    for (auto& [name, pod] : pods_) pod.port.set_published(true);
    for (auto* port : {&dns_, &host_}) {
        if (*port) (*port)->set_published(true);
    }
}

void LocalPorts::clear() noexcept {
    std::vector<std::function<void()>> removals;
    const auto end = [&removals](LocalPort& port) {
        if (auto remove_tap = port.end_but_for_tap()) removals.push_back(std::move(remove_tap));
    };
    for (auto* port : {&host_, &dns_}) {
        if (*port) end(**port);
    }
    for (auto& [name, pod] : pods_) end(pod.port);
    host_.reset();
    dns_.reset();
    names_.clear();
    pods_.clear();
    for (const auto& remove_tap : removals) remove_tap();
}

}  // namespace podlane::control
