// A dataplane without workers: remembers what control tells it, returns what a test sets.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/border/dataplane.h"

namespace podlane {

class FakeDataplane final : public Dataplane {
  public:
    explicit FakeDataplane(unsigned workers = 1) : event_fd_(eventfd(0, EFD_NONBLOCK)) {
        for (unsigned i = 0; i < workers; ++i) {
            workers_.push_back({i, static_cast<int>(i), gettid()});
            counters_.push_back(std::make_unique<WorkerCounters>());
        }
    }
    ~FakeDataplane() override {
        for (auto& [id, port] : ports_) close_queues(port);
        close(event_fd_);
    }

    /// Adds a port as a configured uplink would be.
    PortId add_uplink(const std::string& name, const MacAddress& mac, uint16_t mtu = 1500) {
        return add({kNoPort, name, PortKind::kUplink, "net_null0", mac, mtu, {}}, {});
    }
    /// Makes the event readable for take_events().
    void inject(const Event& event) {
        events_.push_back(event);
        const uint64_t one = 1;
        (void)!write(event_fd_, &one, sizeof(one));
    }
    WorkerCounters& mutable_counters(unsigned worker) { return *counters_[worker]; }

    std::vector<std::shared_ptr<const Snapshot>> published;
    std::vector<Command> commands;
    std::vector<PortId> removed;
    std::vector<FlowInfo> connections;  ///< one page has two
    std::map<FlowRef, CarriedFlow> to_carry;
    std::vector<std::pair<FlowRef, CarriedTraffic>> noted;
    std::map<PortId, PortState> states;  ///< of ports that are not up and without losses
    std::optional<LogLevel> log_level;   ///< the one that was set
    FlowTotals totals{.capacity = 1000};
    std::map<std::pair<IpAddress, uint32_t>, AffinityInfo> affinities;
    std::vector<StuckWorker> stuck;
    BufferUse buffers{.total = 1000, .free = 900, .between_workers = 0};
    std::vector<FlowCursor> pages;        ///< the cursors of calls
    FlowSample flow_sample = 0;           ///< the one that was asked for
    std::deque<FlowRecord> flow_records;  ///< to be taken
    uint64_t flow_records_lost = 0;
    std::function<void(const DevicePortSpec&)> on_device;  ///< a device is opened
    std::map<std::string, Bandwidth> limits;  ///< of all ports that were added, by name
    bool counts_peers = false;                ///< as it was asked to
    std::map<NodeNumber, PeerTraffic> peers;  ///< what peer_traffic() says
    bool rests = false;
    bool can_rest = true;
    std::vector<std::string> faults;  ///< what problems() says
    std::string refuse_ports_with;    ///< not empty: the next ports cannot be added

    /// The commands of one kind, in order.
    std::vector<Command> commands_of(CommandKind kind) const {
        std::vector<Command> out;
        std::copy_if(commands.begin(), commands.end(), std::back_inserter(out),
                     [kind](const Command& c) { return c.kind == kind; });
        return out;
    }

    bool publish(std::shared_ptr<const Snapshot> next) override {
        published.push_back(std::move(next));
        return stuck.empty();
    }
    std::vector<StuckWorker> stuck_workers() override { return stuck; }
    BufferUse buffer_use() const override { return buffers; }
    std::shared_ptr<const Snapshot> current() const override {
        return published.empty() ? make_empty_snapshot() : published.back();
    }
    Result<PortId> add_tap_port(TapPortSpec spec) override {
        PortInfo info{kNoPort, spec.name, spec.kind, spec.ifname, spec.mac, spec.mtu, {}};
        info.is_tap = true;
        info.caps.rx_queues = static_cast<uint16_t>(spec.queue_fds.size());
        if (!refuse_ports_with.empty()) {
            for (const int fd : spec.queue_fds) close(fd);
            return Error{refuse_ports_with};
        }
        limits[spec.name] = spec.bandwidth;
        return add(std::move(info), std::move(spec.queue_fds));
    }
    Result<PortId> add_device_port(const DevicePortSpec& spec) override {
        if (!refuse_ports_with.empty()) return Error{refuse_ports_with};
        limits[spec.name] = spec.bandwidth;
        if (on_device) on_device(spec);
        return add({kNoPort, spec.name, spec.kind, spec.device, {}, spec.mtu, {}}, {});
    }
    void remove_port(PortId id) override {
        removed.push_back(id);
        if (const auto at = ports_.find(id); at != ports_.end()) {
            close_queues(at->second);
            ports_.erase(at);
        }
    }
    std::vector<PortInfo> ports() const override {
        std::vector<PortInfo> out;
        for (const auto& [id, port] : ports_) out.push_back(port.info);
        return out;
    }
    std::vector<PortState> port_states() const override {
        std::vector<PortState> out;
        for (const auto& [id, port] : ports_) {
            const auto at = states.find(id);
            out.push_back(at != states.end() ? at->second : PortState{id, {}, {}});
        }
        return out;
    }
    std::vector<int> queue_fds(PortId id) const override {
        const auto at = ports_.find(id);
        return at != ports_.end() ? at->second.queue_fds : std::vector<int>{};
    }
    bool rest() override { return rests = can_rest; }
    void go_on() override { rests = false; }
    std::vector<std::string> problems() const override { return faults; }
    DeviceLosses device_losses() const override {
        DeviceLosses sum;
        for (const auto& [id, state] : states) sum += state.losses;
        return sum;
    }
    int event_fd() const override { return event_fd_; }
    size_t take_events(std::span<Event> out) override {
        uint64_t count = 0;
        (void)!read(event_fd_, &count, sizeof(count));
        size_t taken = 0;
        for (; taken < out.size() && !events_.empty(); ++taken) {
            out[taken] = events_.front();
            events_.pop_front();
        }
        return taken;
    }
    bool command(const Command& command) override {
        commands.push_back(command);
        return true;
    }
    void set_log_level(LogLevel level) override { log_level = level; }
    std::vector<WorkerInfo> workers() const override { return workers_; }
    const WorkerCounters& counters(unsigned worker) const override { return *counters_[worker]; }
    FlowTotals flow_totals() const override { return totals; }
    std::optional<FlowInfo> find_flow(const FlowTuple& first) override {
        for (const FlowInfo& flow : connections) {
            if (flow.protocol == first.protocol && flow.src == first.src && flow.dst == first.dst &&
                flow.src_port == first.src_port && flow.dst_port == first.dst_port) {
                return flow;
            }
        }
        return std::nullopt;
    }
    std::optional<CarriedFlow> flow_to_carry(FlowRef flow) override {
        const auto at = to_carry.find(flow);
        return at != to_carry.end() ? std::optional(at->second) : std::nullopt;
    }
    bool note_carried(FlowRef flow, const CarriedTraffic& traffic) override {
        noted.emplace_back(flow, traffic);
        return to_carry.contains(flow);
    }
    FlowPage flows(const FlowFilter& filter, size_t limit, FlowCursor from) override {
        pages.push_back(from);
        FlowPage page;
        const size_t end = std::min<size_t>(from + 2, connections.size());
        for (size_t i = from; i < end; ++i) {
            if (page.flows.size() == limit) {
                page.next = i;
                return page;
            }
            if (filter.matches(connections[i])) page.flows.push_back(connections[i]);
        }
        page.next = end < connections.size() ? end : 0;
        return page;
    }
    void record_flows(FlowSample sample) override { flow_sample = sample; }
    size_t take_flow_records(std::span<FlowRecord> out) override {
        size_t taken = 0;
        for (; taken < out.size() && !flow_records.empty(); ++taken) {
            out[taken] = flow_records.front();
            flow_records.pop_front();
        }
        return taken;
    }
    uint64_t lost_flow_records() const override { return flow_records_lost; }
    void count_peers(bool on) override { counts_peers = on; }
    PeerTraffic peer_traffic(NodeNumber node) const override {
        const auto at = peers.find(node);
        return at != peers.end() ? at->second : PeerTraffic{};
    }
    std::optional<AffinityInfo> affinity(const IpAddress& client, uint32_t service) const override {
        const auto at = affinities.find({client, service});
        return at != affinities.end() ? std::optional(at->second) : std::nullopt;
    }
    uint32_t affinity_capacity() const override { return 250; }

  private:
    struct Port {
        PortInfo info;
        std::vector<int> queue_fds;
    };

    static void close_queues(const Port& port) {
        for (const int fd : port.queue_fds) close(fd);
    }
    PortId add(PortInfo info, std::vector<int> queue_fds) {
        uint16_t id = 0;
        while (ports_.contains(PortId{id})) ++id;
        info.id = PortId{id};
        ports_[info.id] = {std::move(info), std::move(queue_fds)};
        return PortId{id};
    }

    int event_fd_;
    std::deque<Event> events_;
    std::map<PortId, Port> ports_;
    std::vector<WorkerInfo> workers_;
    std::vector<std::unique_ptr<WorkerCounters>> counters_;
};

}  // namespace podlane
