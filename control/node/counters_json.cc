#include "control/node/counters_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json ports_json(const LiveView& live) {
    Json ports = Json::array();
    std::map<PortId, DeviceLosses> lost;
    for (const PortState& state : live.dataplane.port_states()) lost[state.id] = state.losses;
    for (const PortInfo& port : live.dataplane.ports()) {
        PortTotals sum = port_totals(live.dataplane, port.id);
        const PortTotals before = live.ports.baseline(port.id);
        sum.rx_packets -= before.rx_packets;
        sum.rx_bytes -= before.rx_bytes;
        sum.tx_packets -= before.tx_packets;
        sum.tx_bytes -= before.tx_bytes;
        sum.rx_dropped -= before.rx_dropped;
        sum.tx_dropped -= before.tx_dropped;
        const DeviceLosses& device = lost[port.id];
        sum.rx_dropped += device.rx_missed + device.rx_errors + device.rx_no_buffer;
        sum.tx_dropped += device.tx_errors;
        ports.push_back({{"name", port.name},
                         {"kind", to_string(port.kind)},
                         {"device", port.device},
                         {"rxPackets", sum.rx_packets},
                         {"rxBytes", sum.rx_bytes},
                         {"txPackets", sum.tx_packets},
                         {"txBytes", sum.tx_bytes},
                         {"rxDropped", sum.rx_dropped},
                         {"txDropped", sum.tx_dropped},
                         {"deviceLosses",
                          {{"rxMissed", device.rx_missed},
                           {"rxErrors", device.rx_errors},
                           {"rxNoBuffer", device.rx_no_buffer},
                           {"txErrors", device.tx_errors}}}});
    }
    return ports;
}

/// Quantiles since the start, and the buckets that have packets: [longest ns, packets].
Json latency_json(const LatencyHistogram& latency) {
    Json buckets = Json::array();
    for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
        const uint64_t packets = latency.packets(i);
        if (packets > 0) buckets.push_back({LatencyHistogram::longest_ns(i), packets});
    }
    return {{"p50Ns", latency.quantile_ns(0.5)},
            {"p99Ns", latency.quantile_ns(0.99)},
            {"p999Ns", latency.quantile_ns(0.999)},
            {"buckets", std::move(buckets)}};
}

Json workers_json(const Dataplane& dataplane) {
    Json workers = Json::array();
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        workers.push_back({{"id", worker.id},
                           {"cpu", cpu_of(worker)},
                           {"tid", worker.tid},
                           {"rxPackets", counters.rx_packets.get()},
                           {"busyCycles", counters.busy_cycles.get()},
                           {"idleCycles", counters.idle_cycles.get()},
                           {"latency", latency_json(counters.latency)}});
    }
    return workers;
}

Json affinity_json(const Dataplane& dataplane) {
    uint64_t full = 0;
    for (const WorkerInfo& worker : dataplane.workers()) {
        full += dataplane.counters(worker.id).affinity_full.get();
    }
    return {{"capacity", dataplane.affinity_capacity()}, {"full", full}};
}

/// Connections by Service: the ports of one Service are counted apart and shown together.
Json services_json(const LiveView& live) {
    std::map<std::string, uint64_t> created;
    for (const auto& [id, name] : service_names(live.snapshot)) {
        const size_t index = index_of(id);
        if (index == 0 || index >= kServiceCounters) continue;
        uint64_t& sum = created[name];
        for (const WorkerInfo& worker : live.dataplane.workers()) {
            sum += live.dataplane.counters(worker.id).service_connections[index].get();
        }
    }
    Json services = Json::array();
    for (const auto& [name, count] : created) {
        services.push_back({{"service", name}, {"created", count}});
    }
    return services;
}

}  // namespace

std::array<uint64_t, kDropCount> drop_sums(const Dataplane& dataplane) {
    std::array<uint64_t, kDropCount> sums{};
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        for (size_t i = 0; i < kDropCount; ++i) sums[i] += counters.drops[i].get();
    }
    dataplane.device_losses().for_each(
        [&sums](Drop reason, uint64_t frames) { sums[static_cast<size_t>(reason)] += frames; });
    return sums;
}

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

Json snat_json(const Dataplane& dataplane) {
    uint64_t tries = 0;
    for (const WorkerInfo& worker : dataplane.workers()) {
        tries += dataplane.counters(worker.id).snat_tries.get();
    }
    const auto sums = snat_refusals(dataplane);
    std::vector<std::pair<SnatTarget, uint64_t>> sorted(sums.begin(), sums.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    Json exhausted = Json::array();
    for (const auto& [target, refused] : sorted) {
        exhausted.push_back({{"protocol", protocol_text(target.protocol)},
                             {"from", to_string(target.source.to_ip())},
                             {"to", endpoint_text(target.destination.to_ip(), target.port)},
                             {"refused", refused}});
    }
    return {{"tries", tries}, {"exhausted", std::move(exhausted)}};
}

Json stats_json(const LiveView& live) {
    Json drops = Json::object();
    const auto sums = drop_sums(live.dataplane);
    for (size_t i = 1; i < kDropCount; ++i) drops[std::string(kDropInfo[i].name)] = sums[i];
    const FlowTotals flows = live.dataplane.flow_totals();
    return {{"generation", live.snapshot.generation},
            {"ports", ports_json(live)},
            {"workers", workers_json(live.dataplane)},
            {"drops", std::move(drops)},
            {"flows",
             {{"active", flows.active},
              {"capacity", flows.capacity},
              {"created", flows.created},
              {"expired", flows.expired},
              {"evicted", flows.evicted},
              {"refused", flows.refused}}},
            {"affinity", affinity_json(live.dataplane)},
            {"snat", snat_json(live.dataplane)},
            {"services", services_json(live)},
            {"loadBalancer",
             {{"assigned", live.addresses.totals().assigned},
              {"pending", live.addresses.totals().pending},
              {"refused", live.addresses.totals().refused}}}};
}

Json drops_json(const Dataplane& dataplane) {
    Json drops = Json::array();
    const auto sums = drop_sums(dataplane);
    for (size_t i = 1; i < kDropCount; ++i) {
        drops.push_back({{"reason", std::string(kDropInfo[i].name)},
                         {"packets", sums[i]},
                         {"help", std::string(kDropInfo[i].help)}});
    }
    return drops;
}

}  // namespace podlane::control
