#include "dataplane/runtime.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "dataplane/flow_listing.h"
#include "dataplane/leaving_ports.h"
#include "dataplane/memory_plan.h"
#include "dataplane/ports/open_ports.h"
#include "dataplane/ports/tap_io.h"
#include "dataplane/probe/probes.h"
#include "dataplane/shared.h"
#include "dataplane/worker.h"
#include "dataplane/worker_watch.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"
#include "lib/dpdk/pci_device.h"
#include "lib/dpdk/plug.h"
#include "lib/dpdk/worker_thread.h"

namespace podlane::dataplane {

namespace {

/// The control side's place in the quiescent domain, behind the workers.
constexpr unsigned kControlReader = kMaxWorkers;
/// At the end, a worker gets this long to come back to the head of its loop.
constexpr std::chrono::seconds kEndWait{2};
/// Connections for each client that session affinity has room for.
constexpr uint32_t kFlowsPerClient = 4;

class Runtime final : public Dataplane {
  public:
    explicit Runtime(Eal eal, PacketPool pool, PacketPool large_pool, unsigned workers)
        : eal_(std::move(eal)),
          pool_(std::move(pool)),
          large_pool_(std::move(large_pool)),
          shared_(std::make_unique<Shared>(workers)),
          probes_(std::make_unique<Probes>(*shared_)),
          watch_(workers),
          leaving_(std::make_unique<LeavingPorts>(shared_->domain)) {
        shared_->pool = pool_.get();
        shared_->large_pool = large_pool_.get();
        shared_->control_doorbell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        shared_->control_doorbell.arm();
        current_ = make_empty_snapshot();
        shared_->snapshot.store(current_.get(), std::memory_order_release);
    }

    ~Runtime() override {
        shared_->stop.store(true, std::memory_order_relaxed);
        begin();
        wake_workers();
        if (!wait_for_end()) {
            abandon();
            return;
        }
        threads_.clear();  // joins
        for (auto& [id, port] : ports_) shared_->ports.set(id, nullptr);
        workers_.clear();
        leaving_.reset();
        ports_.clear();
        shared_->flows_v4.reset();
        shared_->flows_v6.reset();
        close(shared_->control_doorbell.fd);
    }

    void set_idle(IdleMode idle) noexcept { shared_->idle = idle; }
    [[nodiscard]] PacketProbes& probes() noexcept { return *probes_; }
    Result<void> create_tables(const RuntimeConfig& config);
    Result<void> open_uplinks(const RuntimeConfig& config, std::vector<std::string>& hints);
    Result<void> run_workers(const RuntimeConfig& config);

    bool publish(std::shared_ptr<const Snapshot> next) override {
        if (!shared_->begun.load(std::memory_order_relaxed)) settle_kept_flows(*shared_, *next);
        std::shared_ptr<const Snapshot> old = std::exchange(current_, std::move(next));
        // Pairs with the loads in Worker::begin_turn() and Place::hold().
        shared_->snapshot.store(current_.get(), std::memory_order_seq_cst);
        begin();
        wake_workers();
        const uint64_t token = shared_->domain.start_grace();
        const bool in_use = wait_for_workers(token);
        if (!in_use) retired_.push_back({token, std::move(old)});
        let_go();
        return in_use;
    }
    std::shared_ptr<const Snapshot> current() const override { return current_; }

    Result<PortId> add_tap_port(TapPortSpec spec) override;
    Result<PortId> add_device_port(const DevicePortSpec& spec) override;
    void remove_port(PortId id) override;
    std::vector<PortInfo> ports() const override;
    std::vector<PortState> port_states() const override;
    DeviceLosses device_losses() const override;

    int event_fd() const override { return shared_->control_doorbell.fd; }
    size_t take_events(std::span<Event> out) override;
    bool command(const Command& command) override {
        const bool taken = shared_->commands.push(command);
        shared_->doorbells[0].ring();
        return taken;
    }

    void set_log_level(LogLevel level) override { set_eal_log_level(level); }

    std::vector<StuckWorker> stuck_workers() override;
    std::vector<WorkerInfo> workers() const override {
        std::vector<WorkerInfo> out;
        for (unsigned i = 0; i < threads_.size(); ++i) {
            out.push_back({i, threads_[i].cpu(), threads_[i].tid()});
        }
        return out;
    }
    const WorkerCounters& counters(unsigned worker) const override {
        return *shared_->counters[worker];
    }
    BufferUse buffer_use() const override;
    FlowTotals flow_totals() const override {
        return total_flows(*shared_->flows_v4, *shared_->flows_v6);
    }
    std::optional<FlowInfo> find_flow(const FlowTuple& first) override {
        return flow_reader().find(first);
    }
    FlowPage flows(const FlowFilter& filter, size_t limit, FlowCursor from) override {
        return flow_reader().page(filter, limit, from);
    }
    void record_flows(FlowSample sample) override { shared_->recorder.record(sample); }
    size_t take_flow_records(std::span<FlowRecord> out) override {
        return shared_->recorder.take(out);
    }
    uint64_t lost_flow_records() const override { return shared_->recorder.lost(); }
    std::optional<AffinityInfo> affinity(const IpAddress& client, uint32_t service) const override;
    uint32_t affinity_capacity() const override { return shared_->affinity->v4.capacity(); }

  private:
    [[nodiscard]] uint32_t now_s() const noexcept { return shared_->clock.seconds(rte_rdtsc()); }
    [[nodiscard]] FlowReader flow_reader() {
        return {*shared_->flows_v4, *shared_->flows_v6, shared_->domain, kControlReader, now_s(),
                *current_};
    }
    template <Family F>
    [[nodiscard]] std::optional<AffinityInfo> affinity_in(const IpAddress& client,
                                                          uint32_t service) const {
        const auto had = shared_->affinity->of<F>().find(client.as<F>(), service, now_s());
        if (!had) return std::nullopt;
        return AffinityInfo{had->address, had->port.host()};
    }
    [[nodiscard]] Result<PortId> put_in_service(std::unique_ptr<OpenPort> port);
    [[nodiscard]] PortId free_id() const noexcept;
    /// Lets the workers begin, if they are waiting to.
    void begin() noexcept {
        if (shared_->begun.load(std::memory_order_relaxed)) return;
        shared_->begun.store(true, std::memory_order_release);  // pairs with Worker::run()
        shared_->begun.notify_all();
    }
    /// From here on, workers no longer find the port.
    void take_out_of_service(const OpenPort& port);
    /// For DPDK's interrupt thread: makes control look at once.
    [[nodiscard]] std::function<void()> on_leave() const {
        return [&bell = shared_->control_doorbell] { bell.ring(); };
    }
    /// False: a worker is behind. The next waits will be short.
    bool wait_for_workers(uint64_t token) {
        const bool short_wait = is_late_ || watch_.any_still();
        const std::chrono::milliseconds most{short_wait ? kStuckWaitMs : kMostWaitMs};
        is_late_ = !shared_->domain.wait_for(token, most);
        return !is_late_;
    }
    /// Waits for the leaving ports, and closes those that no worker uses any more.
    void close_leaving();
    /// Frees and closes what was only waiting for workers to go on.
    void let_go();
    [[nodiscard]] bool wait_for_end() const;
    /// Leaves everything that a worker may be using until the process ends.
    void abandon();
    void wake_workers() noexcept {
        for (unsigned i = 0; i < workers_.size(); ++i) shared_->doorbells[i].ring();
    }

    // Destroyed in reverse: workers, ports, pools, EAL.
    Eal eal_;
    PacketPool pool_;
    PacketPool large_pool_;
    std::unique_ptr<Shared> shared_;
    std::unique_ptr<Probes> probes_;
    std::shared_ptr<const Snapshot> current_;
    struct Retired {
        uint64_t token;
        std::shared_ptr<const Snapshot> snapshot;
    };
    std::vector<Retired> retired_;  ///< may be held by a worker that is behind
    bool is_late_ = false;          ///< a worker was behind at the last wait
    WorkerWatch watch_;
    std::unique_ptr<LeavingPorts> leaving_;
    std::map<PortId, std::unique_ptr<OpenPort>> ports_;
    DeviceLosses closed_losses_;  ///< of ports that were removed
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<WorkerThread> threads_;
};

Result<void> Runtime::create_tables(const RuntimeConfig& config) {
    FlowTableOptions options;
    options.capacity = config.flow_capacity;
    options.timeouts = config.flow_timeouts;
    options.shares = true;
    options.traffic = config.flow_traffic;
    auto made = create_flow_tables(*shared_, options, config.flow_capacity / kFlowsPerClient,
                                   config.kept_flows, config.kept_flows_log);
    if (!made.ok()) return made;
    shared_->recorder.attach(*shared_->flows_v4, *shared_->flows_v6, shared_->clock);
    return {};
}

Result<void> Runtime::open_uplinks(const RuntimeConfig& config, std::vector<std::string>& hints) {
    for (const UplinkRequest& uplink : config.uplinks) {
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

Result<PortId> Runtime::put_in_service(std::unique_ptr<OpenPort> port) {
    const PortId id = free_id();
    if (id == kNoPort) {
        return Error{"port " + port->port.name + ": the node has " + std::to_string(kMaxPorts) +
                     " ports already, the most it can have"};
    }
    port->port.id = id;
    shared_->flow_targets.forget(id);
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
    auto port = open_tap_port(std::move(spec), shared_->workers);
    if (!port) return port.error();
    return put_in_service(std::move(port).value());
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

std::vector<StuckWorker> Runtime::stuck_workers() {
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

}  // namespace

std::string memory_summary(const RuntimeConfig& config) {
    return podlane::memory_summary(eal_request(config), read_hugepages());
}

Result<Started> start(const RuntimeConfig& config) {
    const auto workers = static_cast<unsigned>(config.worker_cpus.size());
    if (workers == 0 || workers > kMaxWorkers) {
        return Error{"workers: " + std::to_string(workers) + " is not allowed (1-" +
                     std::to_string(kMaxWorkers) + ")"};
    }
    EalRequest request = eal_request(config);
    request.log_level = config.log_level;
    request.log = config.log;
    const Hugepages hugepages = read_hugepages();
    for (const UplinkRequest& uplink : config.uplinks) {
        const auto device = parse_device(uplink.device);
        if (!device) return device.error();
        if (device->kind != DeviceKind::kPci) continue;
        const std::string obstacle = pci_obstacle(device->name, uses_hugepages(request, hugepages));
        if (!obstacle.empty()) {
            return Error{"port " + uplink.name + ": device " + uplink.device + ": " + obstacle};
        }
        request.pci_devices.push_back(device->name);
    }
    Started started;
    started.memory = podlane::memory_summary(request, hugepages);
    auto eal = start_eal(request);
    if (!eal) return eal.error();
    started.hints = eal->notes();
    auto pool = create_packet_pool(pool_request(config));
    if (!pool) return pool.error();
    auto large_pool = create_packet_pool(large_pool_request(config));
    if (!large_pool) return large_pool.error();
    auto runtime = std::make_unique<Runtime>(std::move(eal).value(), std::move(pool).value(),
                                             std::move(large_pool).value(), workers);
    runtime->set_idle(config.idle);
    if (auto made = runtime->create_tables(config); !made) return made.error();
    if (auto opened = runtime->open_uplinks(config, started.hints); !opened) {
        return opened.error();
    }
    if (auto running = runtime->run_workers(config); !running) return running.error();
    started.probes = &runtime->probes();
    started.dataplane = std::move(runtime);
    return started;
}

}  // namespace podlane::dataplane
