#include "control/node/counters.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace podlane::control {

namespace {

PortTotals operator-(PortTotals sum, const PortTotals& before) {
    sum.rx_packets -= before.rx_packets;
    sum.rx_bytes -= before.rx_bytes;
    sum.tx_packets -= before.tx_packets;
    sum.tx_bytes -= before.tx_bytes;
    sum.rx_dropped -= before.rx_dropped;
    sum.tx_dropped -= before.tx_dropped;
    return sum;
}

std::vector<PortStats> port_stats(const LiveView& live) {
    // Reads all devices, including TAPs; the port states hold what was read last.
    static_cast<void>(live.dataplane.device_losses());
    std::map<PortId, DeviceLosses> lost;
    for (const PortState& state : live.dataplane.port_states()) lost[state.id] = state.losses;
    std::vector<PortStats> ports;
    for (const PortInfo& port : live.dataplane.ports()) {
        PortTotals own = port_totals(live.dataplane, port.id) - live.ports.baseline(port.id);
        const Shortcut::PortTraffic kernel = live.shortcut.traffic(port.id);
        own.rx_packets += kernel.from_packets;
        own.rx_bytes += kernel.from_bytes;
        own.tx_packets += kernel.to_packets;
        own.tx_bytes += kernel.to_bytes;
        const DeviceLosses& device = lost[port.id];
        own.rx_dropped += device.rx_missed + device.rx_errors + device.rx_no_buffer;
        own.tx_dropped += device.tx_errors;
        ports.push_back({port.name, port.kind, port.device, own, device});
    }
    return ports;
}

LatencyStats latency_stats(const LatencyHistogram& latency) {
    LatencyStats stats{
        latency.quantile_ns(0.5), latency.quantile_ns(0.99), latency.quantile_ns(0.999), {}};
    for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
        const uint64_t packets = latency.packets(i);
        if (packets > 0) stats.buckets.push_back({LatencyHistogram::longest_ns(i), packets});
    }
    return stats;
}

std::vector<WorkerStats> worker_stats(const Dataplane& dataplane) {
    std::vector<WorkerStats> workers;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        workers.push_back({.id = worker.id,
                           .cpu = cpu_of(worker),
                           .tid = worker.tid,
                           .rx_packets = counters.rx_packets.get(),
                           .busy_cycles = counters.busy_cycles.get(),
                           .idle_cycles = counters.idle_cycles.get(),
                           .slow_path = counters.at(PipelineStage::kSlowPath).in.get(),
                           .held = counters.held.get(),
                           .latency = latency_stats(counters.latency)});
    }
    return workers;
}

FrameStats frame_stats(const Dataplane& dataplane) {
    const BufferUse use = dataplane.buffer_use();
    const DeviceLosses lost = dataplane.device_losses();
    FrameStats stats{.held = use.between_workers,
                     .lost_before = lost.rx_missed + lost.rx_errors + lost.rx_no_buffer,
                     .lost_after = lost.tx_errors,
                     .buffers_total = use.total,
                     .buffers_in_use = use.total - use.free};
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        stats.received += counters.rx_packets.get();
        stats.made += counters.made.get();
        stats.sent += counters.tx_packets.get();
        stats.taken += counters.taken.get();
        stats.held += counters.holds.get();
        for (const Counter& reason : counters.drops) stats.dropped += reason.get();
    }
    return stats;
}

std::array<StageStats, kPipelineStages.size()> stage_stats(const Dataplane& dataplane) {
    std::array<StageStats, kPipelineStages.size()> stats{};
    for (const WorkerInfo& worker : dataplane.workers()) {
        const auto& stages = dataplane.counters(worker.id).stages;
        for (size_t i = 0; i < stats.size(); ++i) {
            stats[i].in += stages[i].in.get();
            stats[i].out += stages[i].out();
        }
    }
    return stats;
}

AffinityStats affinity_stats(const Dataplane& dataplane) {
    AffinityStats stats{dataplane.affinity_capacity(), 0};
    for (const WorkerInfo& worker : dataplane.workers()) {
        stats.full += dataplane.counters(worker.id).affinity_full.get();
    }
    return stats;
}

/// The ports of a Service are counted separately and shown together.
std::vector<ServiceStats> service_stats(const LiveView& live) {
    std::map<std::string, uint64_t> created;
    for (const auto& [id, name] : service_names(live.snapshot)) {
        const size_t index = index_of(id);
        if (index == 0 || index >= kServiceCounters) continue;
        uint64_t& sum = created[name];
        for (const WorkerInfo& worker : live.dataplane.workers()) {
            sum += live.dataplane.counters(worker.id).service_connections[index].get();
        }
    }
    std::vector<ServiceStats> services;
    for (const auto& [name, count] : created) services.push_back({name, count});
    return services;
}

}  // namespace

std::map<SnatTarget, uint64_t> snat_refusals(const Dataplane& dataplane) {
    std::map<SnatTarget, uint64_t> sums;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const SnatShortages& shortages = dataplane.counters(worker.id).snat_shortages;
        for (unsigned slot = 0; slot < SnatShortages::kSlots; ++slot) {
            if (const auto shortage = shortages.read(slot)) {
                sums[shortage->target] += shortage->refused;
            }
        }
    }
    return sums;
}

SnatStats snat_stats(const Dataplane& dataplane) {
    SnatStats stats;
    for (const WorkerInfo& worker : dataplane.workers()) {
        stats.tries += dataplane.counters(worker.id).snat_tries.get();
    }
    for (const auto& [target, refused] : snat_refusals(dataplane)) {
        stats.exhausted.push_back({target, refused});
    }
    std::stable_sort(stats.exhausted.begin(), stats.exhausted.end(),
                     [](const auto& a, const auto& b) { return a.refused > b.refused; });
    return stats;
}

DropStats drop_stats(const Dataplane& dataplane) {
    DropStats stats;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        for (size_t i = 0; i < kDropCount; ++i) stats.packets[i] += counters.drops[i].get();
    }
    dataplane.device_losses().for_each([&stats](Drop reason, uint64_t frames) {
        stats.packets[static_cast<size_t>(reason)] += frames;
    });
    return stats;
}

DnsStats dns_stats(const Dataplane& dataplane, const NameServer* server) {
    DnsStats stats;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        for (size_t i = 0; i < kDnsOutcomes; ++i) stats.workers[i] += counters.dns[i].get();
        stats.truncated += counters.dns_truncated.get();
    }
    if (server != nullptr) stats.server = server->stats();
    return stats;
}

NodeStats node_stats(const LiveView& live) {
    return {.generation = live.snapshot.generation,
            .ports = port_stats(live),
            .workers = worker_stats(live.dataplane),
            .frames = frame_stats(live.dataplane),
            .drops = drop_stats(live.dataplane).packets,
            .stages = stage_stats(live.dataplane),
            .flows = live.dataplane.flow_totals(),
            .kernel_flows = live.shortcut.flows(),
            .affinity = affinity_stats(live.dataplane),
            .snat = snat_stats(live.dataplane),
            .services = service_stats(live),
            .load_balancer = live.addresses.totals(),
            .dns = std::nullopt};
}

}  // namespace podlane::control
