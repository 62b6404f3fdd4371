#include "control/metrics/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/metrics/process_metrics.h"
#include "lib/dns/answer.h"

namespace podlane::control {

namespace {

/// Where a row's samples come from.
struct Source {
    const NodeMetrics& node;
    const BuildInfo& build;
    const ProcessMetrics process;
};

/// A metric, and how its samples are written.
struct Family {
    MetricRow row;
    void (*write)(const Source& from, Exposition& to);
};

using enum MetricType;

void of_kernel_flows(const Source& from, Exposition& to) {
    to.sample({}, from.node.stats.kernel_flows);
}

template <uint64_t FlowTotals::*kMember>
void of_flows(const Source& from, Exposition& to) {
    to.sample({}, from.node.stats.flows.*kMember);
}
template <uint64_t PortTotals::*kMember>
void of_ports(const Source& from, Exposition& to) {
    for (const PortStats& port : from.node.stats.ports) {
        to.sample({{"port", port.name}, {"kind", to_string(port.kind)}}, port.totals.*kMember);
    }
}
template <uint64_t WorkerStats::*kMember>
void of_workers(const Source& from, Exposition& to) {
    for (const WorkerStats& worker : from.node.stats.workers) {
        to.sample({{"worker", std::to_string(worker.id)}}, worker.*kMember);
    }
}
template <uint64_t ServiceMetrics::*kMember>
void of_services(const Source& from, Exposition& to) {
    for (const ServiceMetrics& service : from.node.services) {
        to.sample({{"namespace", service.name_space}, {"service", service.name}}, service.*kMember);
    }
}

void device_losses(const Source& from, Exposition& to) {
    for (const PortStats& port : from.node.stats.ports) {
        port.losses.for_each([&](Drop reason, uint64_t frames) {
            to.sample({{"port", port.name}, {"reason", drop_info(reason).name}}, frames);
        });
    }
}

void neighbours(const Source& from, Exposition& to) {
    constexpr std::array kStates = {NeighbourState::kIncomplete, NeighbourState::kReachable,
                                    NeighbourState::kProbing, NeighbourState::kFailed,
                                    NeighbourState::kStatic};
    for (const NeighbourState state : kStates) {
        const auto count = std::ranges::count(from.node.neighbours, state, &NeighbourRow::state);
        to.sample({{"state", to_string(state)}}, static_cast<uint64_t>(count));
    }
}

void histogram(MetricLabels labels, const DurationMetrics& durations, Exposition& to) {
    std::array<HistogramBucket, DurationMetrics::kBuckets> buckets;
    for (size_t i = 0; i < buckets.size(); ++i) {
        buckets[i] = {static_cast<double>(DurationMetrics::longest_ns(i)) / 1e9,
                      durations.counts[i]};
    }
    to.histogram(labels, buckets, durations.count, durations.sum_seconds);
}

template <class Of>
void dns_outcomes(std::string_view by, const Of& counts, Exposition& to) {
    for (size_t i = 0; i < kDnsOutcomes; ++i) {
        to.sample({{"by", by}, {"outcome", to_string(static_cast<DnsOutcome>(i))}}, counts[i]);
    }
}

/// Writes `value` of each upstream DNS server, if there are any.
template <class Value>
void of_upstreams(const Source& from, Exposition& to, Value value) {
    if (!from.node.stats.dns || !from.node.stats.dns->server) return;
    for (const Upstream& each : from.node.stats.dns->server->upstreams) {
        to.sample({{"server", to_string(each.server)}}, uint64_t{value(each)});
    }
}
template <class Value>
void of_dns_server(const Source& from, Exposition& to, Value value) {
    if (from.node.stats.dns && from.node.stats.dns->server) {
        to.sample({}, uint64_t{value(*from.node.stats.dns->server)});
    }
}

// The table: a row for each metric, in the order in which they are written. Names end in their
// unit; a counter's _total and an info's _info are not written here.
constexpr Family kFamilies[] = {
    {{"podlane_build", kInfo, "What runs: versions, and the node's name."},
     [](const Source& from, Exposition& to) {
         to.sample({{"version", from.build.version},
                    {"dpdk", from.build.dpdk},
                    {"node", from.node.health.node}},
                   uint64_t{1});
     }},
    {{"podlane_serving", kGauge,
      "1 while all workers run and no uplink or host interface is lost."},
     [](const Source& from, Exposition& to) { to.sample({}, uint64_t{from.node.is_serving}); }},

    {{"podlane_port_receive_packets", kCounter, "Packets that came in by a port."},
     of_ports<&PortTotals::rx_packets>},
    {{"podlane_port_receive_bytes", kCounter, "Their bytes, Ethernet header included."},
     of_ports<&PortTotals::rx_bytes>},
    {{"podlane_port_receive_drops", kCounter,
      "Packets that came in by a port and were dropped, for whatever reason, the device's own "
      "losses included."},
     of_ports<&PortTotals::rx_dropped>},
    {{"podlane_port_transmit_packets", kCounter, "Packets that left by a port."},
     of_ports<&PortTotals::tx_packets>},
    {{"podlane_port_transmit_bytes", kCounter, "Their bytes, Ethernet header included."},
     of_ports<&PortTotals::tx_bytes>},
    {{"podlane_port_transmit_drops", kCounter, "Packets that were to leave by a port and did not."},
     of_ports<&PortTotals::tx_dropped>},
    {{"podlane_port_device_losses", kCounter,
      "Frames that a port's device lost before a worker saw them, or after one let them go."},
     device_losses},
    {{"podlane_port_up", kGauge, "1 while the port's link is up."},
     [](const Source& from, Exposition& to) {
         for (const PortRow& port : from.node.ports) {
             to.sample({{"port", port.name}, {"kind", to_string(port.kind)}},
                       uint64_t{port.link.state == LinkState::kUp});
         }
     }},
    {{"podlane_port_speed_bytes", kGauge, "The link's speed, bytes a second, where it is known."},
     [](const Source& from, Exposition& to) {
         for (const PortRow& port : from.node.ports) {
             if (port.link.mbit_per_second == 0) continue;
             to.sample({{"port", port.name}}, uint64_t{port.link.mbit_per_second} * 125'000);
         }
     }},

    {{"podlane_worker_up", kGauge, "1 while the worker's thread runs."},
     [](const Source& from, Exposition& to) {
         for (const auto& worker : from.node.health.workers) {
             to.sample({{"worker", std::to_string(worker.id)}}, uint64_t{worker.is_alive});
         }
     }},
    {{"podlane_worker_receive_packets", kCounter, "Packets that a worker took from ports."},
     of_workers<&WorkerStats::rx_packets>},
    {{"podlane_worker_slow_path_packets", kCounter,
      "Packets that a worker could not finish in the fast path."},
     of_workers<&WorkerStats::slow_path>},
    {{"podlane_worker_held_packets", kCounter, "Packets that waited for a neighbour."},
     of_workers<&WorkerStats::held>},
    {{"podlane_worker_busy_cycles", kCounter, "TSC cycles of turns that moved a packet."},
     of_workers<&WorkerStats::busy_cycles>},
    {{"podlane_worker_idle_cycles", kCounter, "TSC cycles of turns that did not, sleep included."},
     of_workers<&WorkerStats::idle_cycles>},
    {{"podlane_packet_latency_seconds", kHistogram,
      "From the look at a port that brought a packet to its being sent."},
     [](const Source& from, Exposition& to) {
         for (const WorkerStats& worker : from.node.stats.workers) {
             histogram({{"worker", std::to_string(worker.id)}}, duration_metrics(worker.latency),
                       to);
         }
     }},

    {{"podlane_drops", kCounter, "Dropped packets by reason; podlanectl drops explains each."},
     [](const Source& from, Exposition& to) {
         for (size_t i = 1; i < kDropCount; ++i) {
             to.sample({{"reason", kDropInfo[i].name}}, from.node.stats.drops[i]);
         }
     }},

    {{"podlane_stage_packets", kCounter,
      "Packets that a stage of the packet's way had to do with (in), and that it gave on (out)."},
     [](const Source& from, Exposition& to) {
         for (size_t i = 0; i < kPipelineStages.size(); ++i) {
             const StageStats& stage = from.node.stats.stages[i];
             to.sample({{"stage", kPipelineStages[i]}, {"way", "in"}}, stage.in);
             to.sample({{"stage", kPipelineStages[i]}, {"way", "out"}}, stage.out);
         }
     }},

    {{"podlane_flow_table_connections", kGauge, "Connections in the flow table now."},
     of_flows<&FlowTotals::active>},
    {{"podlane_flow_table_capacity", kGauge, "Connections that it holds at most."},
     of_flows<&FlowTotals::capacity>},
    {{"podlane_flow_table_kernel", kGauge, "Connections that the node's kernel carries by itself."},
     of_kernel_flows},
    {{"podlane_flows_created", kCounter, "Connections that were made."},
     of_flows<&FlowTotals::created>},
    {{"podlane_flows_expired", kCounter, "Connections that ended by age, or on request."},
     of_flows<&FlowTotals::expired>},
    {{"podlane_flows_evicted", kCounter, "Connections that gave way to new ones."},
     of_flows<&FlowTotals::evicted>},
    {{"podlane_flows_refused", kCounter, "New connections that found no room."},
     of_flows<&FlowTotals::refused>},
    {{"podlane_flow_log_records", kCounter, "Connections that the flow log was given."},
     [](const Source& from, Exposition& to) {
         if (from.node.stats.flow_log) to.sample({}, from.node.stats.flow_log->written);
     }},
    {{"podlane_flow_log_lost", kCounter,
      "Records of connections for which a worker, control or a receiver had no room."},
     [](const Source& from, Exposition& to) {
         if (from.node.stats.flow_log) to.sample({}, from.node.stats.flow_log->lost);
     }},
    {{"podlane_affinity_capacity", kGauge,
      "Clients that session affinity can remember, in each family."},
     [](const Source& from, Exposition& to) { to.sample({}, from.node.stats.affinity.capacity); }},
    {{"podlane_affinity_full", kCounter,
      "Connections for which session affinity had no room for the client."},
     [](const Source& from, Exposition& to) { to.sample({}, from.node.stats.affinity.full); }},
    {{"podlane_snat_port_tries", kCounter,
      "Source ports that were tried because the first one was another connection's."},
     [](const Source& from, Exposition& to) { to.sample({}, from.node.stats.snat.tries); }},
    {{"podlane_snat_exhausted_destinations", kGauge,
      "Destinations remembered for having run out of source ports; podlanectl stats names them."},
     [](const Source& from, Exposition& to) {
         to.sample({}, uint64_t{from.node.stats.snat.exhausted.size()});
     }},

    {{"podlane_service_connections", kCounter,
      "Connections made to a Service; of Services without a series of their own, those of all "
      "together, with empty labels."},
     [](const Source& from, Exposition& to) {
         of_services<&ServiceMetrics::connections>(from, to);
         to.sample({{"namespace", ""}, {"service", ""}}, from.node.other_connections);
     }},
    {{"podlane_service_endpoints", kGauge,
      "Endpoints that connections to a Service may get, at its port that has most."},
     of_services<&ServiceMetrics::endpoints>},
    {{"podlane_services_without_series", kGauge,
      "Services that have no series of their own (metrics.services)."},
     [](const Source& from, Exposition& to) { to.sample({}, from.node.other_services); }},
    {{"podlane_load_balancer_services", kGauge,
      "LoadBalancer Services by whether they have all the addresses that they ask for."},
     [](const Source& from, Exposition& to) {
         to.sample({{"state", "assigned"}}, from.node.stats.load_balancer.assigned);
         to.sample({{"state", "pending"}}, from.node.stats.load_balancer.pending);
     }},
    {{"podlane_load_balancer_refusals", kCounter,
      "How often a LoadBalancer Service began to lack an address."},
     [](const Source& from, Exposition& to) {
         to.sample({}, from.node.stats.load_balancer.refused);
     }},

    {{"podlane_dns_queries", kCounter,
      "DNS queries by who answered, a worker or the server behind them, and outcome."},
     [](const Source& from, Exposition& to) {
         if (!from.node.stats.dns) return;
         dns_outcomes("worker", from.node.stats.dns->workers, to);
         if (from.node.stats.dns->server)
             dns_outcomes("server", from.node.stats.dns->server->outcomes, to);
     }},
    {{"podlane_dns_truncated", kCounter, "Answers of workers that were cut to fit."},
     [](const Source& from, Exposition& to) {
         if (from.node.stats.dns) to.sample({}, from.node.stats.dns->truncated);
     }},
    {{"podlane_dns_cache_hits", kCounter, "Names from outside that the cache answered."},
     [](const Source& from, Exposition& to) {
         of_dns_server(from, to, [](const auto& server) { return server.forwarder.cache_hits; });
     }},
    {{"podlane_dns_cache_entries", kGauge, "Answers that the cache holds."},
     [](const Source& from, Exposition& to) {
         of_dns_server(from, to, [](const auto& server) { return server.cached; });
     }},
    {{"podlane_dns_upstream_queries", kCounter, "Questions to an upstream server."},
     [](const Source& from, Exposition& to) {
         of_upstreams(from, to, [](const Upstream& server) { return server.asked; });
     }},
    {{"podlane_dns_upstream_failures", kCounter, "Questions that it did not answer."},
     [](const Source& from, Exposition& to) {
         of_upstreams(from, to, [](const Upstream& server) { return server.failed; });
     }},
    {{"podlane_dns_upstream_up", kGauge, "1 while the upstream server answers."},
     [](const Source& from, Exposition& to) {
         of_upstreams(from, to, [](const Upstream& server) { return server.is_healthy; });
     }},

    {{"podlane_neighbours", kGauge, "Neighbours by state."}, neighbours},
    {{"podlane_problems", kGauge,
      "Things that are not as they should be; podlanectl health names them."},
     [](const Source& from, Exposition& to) {
         to.sample({}, uint64_t{from.node.health.problems.size()});
     }},
    {{"podlane_generation", kGauge, "The number of the generation in use."},
     [](const Source& from, Exposition& to) { to.sample({}, from.node.stats.generation); }},

    {{"process_cpu_seconds", kCounter, "CPU time of all threads."},
     [](const Source& from, Exposition& to) { to.sample({}, from.process.cpu_seconds); }},
    {{"process_start_time_seconds", kGauge, "When the process began, seconds since 1970."},
     [](const Source& from, Exposition& to) { to.sample({}, from.process.start_seconds); }},
    {{"process_resident_memory_bytes", kGauge, "Memory in use; hugepages are not part of it."},
     [](const Source& from, Exposition& to) { to.sample({}, from.process.resident_bytes); }},
    {{"process_open_fds", kGauge, "Open files."},
     [](const Source& from, Exposition& to) { to.sample({}, from.process.open_files); }},
    {{"process_max_fds", kGauge, "Files that may be open."},
     [](const Source& from, Exposition& to) { to.sample({}, from.process.most_files); }},
};

}  // namespace

std::string metrics_text(const NodeMetrics& node, const BuildInfo& build, MetricsFormat format) {
    const Source source{node, build, read_process_metrics()};
    Exposition out(format);
    for (const Family& family : kFamilies) {
        out.begin(family.row);
        family.write(source, out);
    }
    return out.take();
}

}  // namespace podlane::control
