// The dataplane as one thing: EAL, pools, tables, ports, workers. What Dataplane promises, it
// keeps.
//
// Made by start(); internal to dataplane/. Control's thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/carried_flows.h"
#include "dataplane/flow_listing.h"
#include "dataplane/leaving_ports.h"
#include "dataplane/ports/open_ports.h"
#include "dataplane/probe/probes.h"
#include "dataplane/runtime.h"
#include "dataplane/shared.h"
#include "dataplane/worker.h"
#include "dataplane/worker_watch.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"
#include "lib/dpdk/worker_thread.h"

namespace podlane::dataplane {

/// The control side's place in the quiescent domain, behind the workers.
inline constexpr unsigned kControlReader = kMaxWorkers;

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

    /// Of a start beside another process.
    void take_flows();
    void keep_flows() {
        if (shared_->kept_flows) shared_->kept_flows->take_place();
    }

    bool publish(std::shared_ptr<const Snapshot> next) override {
        if (!has_begun_ && !waits_for_flows_) settle_kept_flows(*shared_, *next);
        std::shared_ptr<const Snapshot> old = std::exchange(current_, std::move(next));
        // Pairs with the loads in Worker::begin_turn() and Place::hold().
        shared_->snapshot.store(current_.get(), std::memory_order_seq_cst);
        if (!waits_for_flows_ && !rests_) begin();
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
    std::vector<int> queue_fds(PortId id) const override;
    bool rest() override;
    void go_on() override {
        rests_ = false;
        begin();
        wake_workers();
    }
    std::vector<std::string> problems() const override {
        return shared_->kept_flows ? shared_->kept_flows->problems() : std::vector<std::string>{};
    }

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
    std::optional<CarriedFlow> flow_to_carry(FlowRef flow) override {
        return carried_flows().find(flow);
    }
    bool note_carried(FlowRef flow, const CarriedTraffic& traffic) override {
        const bool counts = shared_->peers.load(std::memory_order_relaxed) != nullptr;
        return carried_flows().note(
            flow, traffic, counts ? &shared_->peer_counts->row(shared_->workers) : nullptr);
    }
    void record_flows(FlowSample sample) override { shared_->recorder.record(sample); }
    size_t take_flow_records(std::span<FlowRecord> out) override {
        return shared_->recorder.take(out);
    }
    uint64_t lost_flow_records() const override { return shared_->recorder.lost(); }
    void count_peers(bool on) override;
    PeerTraffic peer_traffic(NodeNumber node) const override {
        return shared_->peer_counts ? shared_->peer_counts->sum(node) : PeerTraffic{};
    }
    std::optional<AffinityInfo> affinity(const IpAddress& client, uint32_t service) const override;
    uint32_t affinity_capacity() const override { return shared_->affinity->v4.capacity(); }

  private:
    [[nodiscard]] uint32_t now_s() const noexcept { return shared_->clock.seconds(rte_rdtsc()); }
    [[nodiscard]] FlowReader flow_reader() {
        return {*shared_->flows_v4, *shared_->flows_v6, shared_->domain, kControlReader, now_s(),
                *current_};
    }
    [[nodiscard]] CarriedFlows carried_flows() {
        return {*shared_->flows_v4, *shared_->flows_v6, shared_->domain, kControlReader, *current_};
    }
    template <Family F>
    [[nodiscard]] std::optional<AffinityInfo> affinity_in(const IpAddress& client,
                                                          uint32_t service) const {
        const auto had = shared_->affinity->of<F>().find(client.as<F>(), service, now_s());
        if (!had) return std::nullopt;
        return AffinityInfo{had->address, had->port.host()};
    }
    [[nodiscard]] Result<PortId> put_in_service(std::unique_ptr<OpenPort> port,
                                                bool is_pair = false);
    [[nodiscard]] PortId free_id() const noexcept;
    /// Lets the workers begin, if they are waiting to.
    void begin() noexcept {
        has_begun_ = true;
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
    bool has_begun_ = false;        ///< workers have
    bool rests_ = false;            ///< they rest, as they were asked to
    bool waits_for_flows_ = false;  ///< of another process: workers wait for them
    WorkerWatch watch_;
    std::unique_ptr<LeavingPorts> leaving_;
    std::map<PortId, std::unique_ptr<OpenPort>> ports_;
    DeviceLosses closed_losses_;  ///< of ports that were removed
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<WorkerThread> threads_;
};

}  // namespace podlane::dataplane
