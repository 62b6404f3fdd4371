#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "dataplane/runtime_impl.h"

namespace podlane::dataplane {

namespace {

/// At the end, a worker gets this long to come back to the head of its loop.
constexpr std::chrono::seconds kEndWait{2};
/// Connections for each client that session affinity has room for.
constexpr uint32_t kFlowsPerClient = 4;

}  // namespace

Result<void> Runtime::create_tables(const RuntimeConfig& config) {
    FlowTableOptions options;
    options.capacity = config.flow_capacity;
    options.timeouts = config.flow_timeouts;
    options.shares = true;
    options.traffic = config.flow_traffic;
    options.carried = config.flows_carried;
    if (!config.kept_flows.empty()) {
        waits_for_flows_ = config.waits_for_flows;
        shared_->kept_flows =
            std::make_unique<KeptFlows>(config.kept_flows, config.kept_flows_log, waits_for_flows_);
    }
    auto made = create_flow_tables(*shared_, options, config.flow_capacity / kFlowsPerClient);
    if (!made.ok()) return made;
    shared_->recorder.attach(*shared_->flows_v4, *shared_->flows_v6, shared_->clock);
    return {};
}

Result<void> Runtime::open_uplinks(const RuntimeConfig& config, std::vector<std::string>& hints) {
    for (const UplinkRequest& uplink : config.uplinks) {
        if (uplink.tap) {
            if (auto id = add_tap_port(*uplink.tap); !id) return id.error();
            continue;
        }
        auto port = open_device_port({.name = uplink.name,
                                      .device = uplink.device,
                                      .mtu = uplink.mtu,
                                      .mac = uplink.mac,
                                      .workers = shared_->workers,
                                      .pool = pool_.get(),
                                      .on_leave = on_leave()});
        if (!port) return port.error();
        for (const std::string& note : (*port)->ethdev->notes()) {
            hints.push_back(uplink.name + ": " + note);
        }
        auto id = put_in_service(std::move(port).value());
        if (!id) return id.error();
    }
    return {};
}

Result<void> Runtime::run_workers(const RuntimeConfig& config) {
    for (unsigned i = 0; i < shared_->workers; ++i) {
        workers_.push_back(std::make_unique<Worker>(*shared_, i));
    }
    for (auto& [id, port] : ports_) watch_port(*port, workers_);
    for (unsigned i = 0; i < shared_->workers; ++i) {
        Worker* worker = workers_[i].get();
        shared_->running.fetch_add(1, std::memory_order_relaxed);
        auto thread = start_worker_thread(
            {"podlane-w" + std::to_string(i), config.worker_cpus[i], config.confine_worker},
            [worker] { worker->run(); });
        if (!thread) {
            shared_->running.fetch_sub(1, std::memory_order_relaxed);
            return thread.error();
        }
        threads_.push_back(std::move(thread).value());
    }
    return {};
}

PortId Runtime::free_id() const noexcept {
    for (uint16_t i = 0; i < kMaxPorts; ++i) {
        const PortId id{i};
        if (!ports_.contains(id) && !leaving_->has(id)) return id;
    }
    return kNoPort;
}

Result<PortId> Runtime::put_in_service(std::unique_ptr<OpenPort> port, bool is_pair) {
    const PortId id = free_id();
    if (id == kNoPort) {
        return Error{"port " + port->port.name + ": the node has " + std::to_string(kMaxPorts) +
                     " ports already, the most it can have"};
    }
    port->port.id = id;
    shared_->flow_targets.forget(id);
    const bool is_pod = port->port.kind == PortKind::kPod;
    if (is_pair) shared_->flow_targets.add_pair(id, is_pod);
    shared_->ports.set(id, &port->port);
    const bool watched = watch_port(*port, workers_);
    const std::string name = port->port.name;
    ports_[id] = std::move(port);
    wake_workers();
    if (!watched) {
        remove_port(id);
        return Error{"port " + name + ": its descriptors cannot be polled"};
    }
    return id;
}

Result<PortId> Runtime::add_tap_port(TapPortSpec spec) {
    const bool is_pair = spec.is_pair;
    auto port = open_tap_port(std::move(spec), shared_->workers);
    if (!port) return port.error();
    return put_in_service(std::move(port).value(), is_pair);
}

Result<PortId> Runtime::add_device_port(const DevicePortSpec& spec) {
    auto port = open_device_port({.name = spec.name,
                                  .kind = spec.kind,
                                  .device = spec.device,
                                  .mtu = spec.mtu,
                                  .workers = shared_->workers,
                                  .pool = pool_.get(),
                                  .on_leave = on_leave(),
                                  .bandwidth = spec.bandwidth});
    if (!port) return port.error();
    return put_in_service(std::move(port).value());
}

void Runtime::take_out_of_service(const OpenPort& port) {
    shared_->ports.set(port.port.id, nullptr);
    unwatch_port(port, workers_);
    wake_workers();
}

void Runtime::close_leaving() {
    // One grace period each time; a port needs two.
    while (const auto token = leaving_->token()) {
        if (!wait_for_workers(*token)) return;
        closed_losses_ += leaving_->close_free();
    }
}

void Runtime::let_go() {
    closed_losses_ += leaving_->close_free();
    std::erase_if(retired_, [this](const Retired& old) {
        for (unsigned i = 0; i < workers_.size(); ++i) {
            // Of the many snapshots published meanwhile, a worker that is behind holds only one.
            if (shared_->domain.is_behind(i, old.token) &&
                workers_[i]->place().holds(old.snapshot.get())) {
                return false;
            }
        }
        return true;
    });
}

std::vector<int> Runtime::queue_fds(PortId id) const {
    const auto found = ports_.find(id);
    if (found == ports_.end() || found->second->port.backend != PortBackend::kTap) return {};
    const auto& fds = found->second->port.tap_fds;
    return {fds.begin(), fds.begin() + shared_->workers};
}

bool Runtime::rest() {
    if (!has_begun_) return false;
    rests_ = true;
    shared_->begun.store(false, std::memory_order_relaxed);
    wake_workers();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kMostWaitMs);
    // Pairs with Worker::wait_to_begin().
    while (shared_->resting.load(std::memory_order_acquire) < threads_.size()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            go_on();
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
}

void Runtime::take_flows() {
    copy_kept_flows(*shared_);
    settle_kept_flows(*shared_, *current_);
    // What has come since the device was opened the other process has had as well.
    for (const auto& [id, port] : ports_) {
        if (port->ethdev) port->ethdev->drop_waiting();
    }
    waits_for_flows_ = false;
    begin();
}

std::vector<StuckWorker> Runtime::stuck_workers() {
    if (rests_) return {};
    std::vector<uint64_t> turns;
    for (const auto& worker : workers_) turns.push_back(worker->place().turns());
    watch_.look(turns, WorkerWatch::Clock::now());
    let_go();
    grow_kept_flows(*shared_);
    std::vector<StuckWorker> out;
    for (unsigned i = 0; i < workers_.size(); ++i) {
        const uint64_t still_ms = watch_.still_ms(i);
        if (still_ms == 0) continue;
        const Place& place = workers_[i]->place();
        const Port* const port = shared_->ports.get(place.port());
        out.push_back({i, port == nullptr ? "" : port->name, place.step(), still_ms});
    }
    return out;
}

bool Runtime::wait_for_end() const {
    const auto deadline = std::chrono::steady_clock::now() + kEndWait;
    while (shared_->running.load(std::memory_order_acquire) != 0) {  // pairs with Worker::run()
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

void Runtime::abandon() {
    struct Left {
        Eal eal;
        PacketPool pool, large_pool;
        std::unique_ptr<Shared> shared;
        std::unique_ptr<Probes> probes;
        std::shared_ptr<const Snapshot> current;
        std::vector<Retired> retired;
        std::unique_ptr<LeavingPorts> leaving;
        std::map<PortId, std::unique_ptr<OpenPort>> ports;
        std::vector<std::unique_ptr<Worker>> workers;
        std::vector<WorkerThread> threads;
    };
    static_cast<void>(new Left{std::move(eal_), std::move(pool_), std::move(large_pool_),
                               std::move(shared_), std::move(probes_), std::move(current_),
                               std::move(retired_), std::move(leaving_), std::move(ports_),
                               std::move(workers_), std::move(threads_)});
}

void Runtime::remove_port(PortId id) {
    const auto found = ports_.find(id);
    if (found == ports_.end()) return;
    take_out_of_service(*found->second);
    leaving_->add(std::move(found->second));
    ports_.erase(found);
    close_leaving();
}

std::vector<PortInfo> Runtime::ports() const {
    std::vector<PortInfo> out;
    for (const auto& [id, open] : ports_) {
        const Port& port = open->port;
        out.push_back({id, port.name, port.kind, port.device, port.mac, port.mtu, port.caps,
                       port.backend == PortBackend::kTap});
    }
    return out;
}

std::vector<PortState> Runtime::port_states() const {
    std::vector<const OpenPort*> open;
    for (const auto& [id, port] : ports_) open.push_back(port.get());
    return states_of(open);
}

DeviceLosses Runtime::device_losses() const {
    DeviceLosses sum = closed_losses_;
    for (const auto& [id, port] : ports_) sum += losses_of(*port);
    return sum;
}

size_t Runtime::take_events(std::span<Event> out) {
    shared_->control_doorbell.clear();
    // From here on a new event rings again; events already in the rings are taken below.
    shared_->control_doorbell.arm();
    size_t count = 0;
    for (auto& [id, port] : ports_) {
        // Pairs with the release in open_device_port(). The kernel waits until the device is
        // closed.
        if (count == out.size() || !port->device_leaves.exchange(false, std::memory_order_acquire))
            continue;
        take_out_of_service(*port);
        leaving_->add(*port);
        close_leaving();
        out[count++] = {EventKind::kPortLost, false, id, {}, {}};
    }
    for (auto& ring : shared_->events) {
        while (count < out.size() && ring->pop(out[count])) ++count;
    }
    if (count == out.size()) shared_->control_doorbell.ring();
    return count;
}

void Runtime::count_peers(bool on) {
    if (on && !shared_->peer_counts) {
        shared_->peer_counts = std::make_unique<PeerCounts>(shared_->workers + 1);
    }
    // Pairs with the load in Worker::begin_turn().
    shared_->peers.store(on ? shared_->peer_counts.get() : nullptr, std::memory_order_release);
}

std::optional<AffinityInfo> Runtime::affinity(const IpAddress& client, uint32_t service) const {
    return client.is_v4() ? affinity_in<V4>(client, service) : affinity_in<V6>(client, service);
}

BufferUse Runtime::buffer_use() const {
    BufferUse out{pool_.mbufs() + large_pool_.mbufs(), pool_.available() + large_pool_.available(),
                  0};
    for (unsigned from = 0; from < shared_->workers; ++from) {
        for (unsigned to = 0; to < shared_->workers; ++to) {
            out.between_workers += shared_->handoff.ring(from, to).size();
        }
    }
    return out;
}

}  // namespace podlane::dataplane
