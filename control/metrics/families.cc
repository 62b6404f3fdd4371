#include "control/metrics/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/metrics/process_metrics.h"
#include "lib/dns/answer.h"

namespace podlane::control {

namespace {

/// What the samples of a row are made of.
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

template <uint64_t NodeMetrics::*kMember>
void one(const Source& from, Exposition& to) {
    to.sample({}, from.node.*kMember);
}
template <uint64_t FlowTotals::*kMember>
void of_flows(const Source& from, Exposition& to) {
    to.sample({}, from.node.flows.*kMember);
}
template <uint64_t PortMetrics::*kMember>
void of_ports(const Source& from, Exposition& to) {
    for (const PortMetrics& port : from.node.ports) {
        to.sample({{"port", port.name}, {"kind", port.kind}}, port.*kMember);
    }
}
template <uint64_t WorkerMetrics::*kMember>
void of_workers(const Source& from, Exposition& to) {
    for (const WorkerMetrics& worker : from.node.workers) {
        to.sample({{"worker", std::to_string(worker.id)}}, worker.*kMember);
    }
}
template <std::vector<WordCount> NodeMetrics::*kMember>
void by_word(std::string_view label, const Source& from, Exposition& to) {
    for (const WordCount& each : from.node.*kMember) {
        to.sample({{label, each.word}}, each.count);
    }
}
template <uint64_t ServiceMetrics::*kMember>
void of_services(const Source& from, Exposition& to) {
    for (const ServiceMetrics& service : from.node.services) {
        to.sample({{"namespace", service.name_space}, {"service", service.name}}, service.*kMember);
    }
}

void device_losses(const Source& from, Exposition& to) {
    for (const PortMetrics& port : from.node.ports) {
        port.device.for_each([&](Drop reason, uint64_t frames) {
            to.sample({{"port", port.name}, {"reason", drop_info(reason).name}}, frames);
        });
    }
}

void histogram(Labels labels, const DurationMetrics& durations, Exposition& to) {
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

/// `value` of each upstream server of the DNS server, where there is one.
template <class Value>
void of_upstreams(const Source& from, Exposition& to, Value value) {
    if (!from.node.dns || !from.node.dns->server) return;
    for (const Upstream& each : from.node.dns->server->upstreams) {
        to.sample({{"server", to_string(each.server)}}, uint64_t{value(each)});
    }
}
template <class Value>
void of_dns_server(const Source& from, Exposition& to, Value value) {
    if (from.node.dns && from.node.dns->server) {
        to.sample({}, uint64_t{value(*from.node.dns->server)});
    }
}

// The table: a row for each metric, in the order in which they are written. Names end in their
// unit; a counter's _total and an info's _info are not written here.
constexpr Family kFamilies[] = {
    {{"podlane_build", kInfo, "What runs: versions, and the node's name."},
     [](const Source& from, Exposition& to) {
         to.sample(
             {{"version", from.build.version}, {"dpdk", from.build.dpdk}, {"node", from.node.node}},
             uint64_t{1});
     }},
    {{"podlane_serving", kGauge,
      "1 while all workers run and no uplink or host interface is lost."},
     [](const Source& from, Exposition& to) { to.sample({}, uint64_t{from.node.is_serving}); }},

    {{"podlane_port_receive_packets", kCounter, "Packets that came in by a port."},
     of_ports<&PortMetrics::rx_packets>},
    {{"podlane_port_receive_bytes", kCounter, "Their bytes, Ethernet header included."},
     of_ports<&PortMetrics::rx_bytes>},
    {{"podlane_port_receive_drops", kCounter,
      "Packets that came in by a port and were dropped, for whatever reason; the device's own "
      "losses are not among them."},
     of_ports<&PortMetrics::rx_dropped>},
    {{"podlane_port_transmit_packets", kCounter, "Packets that left by a port."},
     of_ports<&PortMetrics::tx_packets>},
    {{"podlane_port_transmit_bytes", kCounter, "Their bytes, Ethernet header included."},
     of_ports<&PortMetrics::tx_bytes>},
    {{"podlane_port_transmit_drops", kCounter, "Packets that were to leave by a port and did not."},
     of_ports<&PortMetrics::tx_dropped>},
    {{"podlane_port_device_losses", kCounter,
      "Frames that a port's device lost before a worker saw them, or after one let them go."},
     device_losses},
    {{"podlane_port_up", kGauge, "1 while the port's link is up."},
     [](const Source& from, Exposition& to) {
         for (const PortMetrics& port : from.node.ports) {
             to.sample({{"port", port.name}, {"kind", port.kind}},
                       uint64_t{port.link == LinkState::kUp});
         }
     }},
    {{"podlane_port_speed_bytes", kGauge, "The link's speed, bytes a second, where it is known."},
     [](const Source& from, Exposition& to) {
         for (const PortMetrics& port : from.node.ports) {
             if (port.mbit_per_second == 0) continue;
             to.sample({{"port", port.name}}, uint64_t{port.mbit_per_second} * 125'000);
         }
     }},

    {{"podlane_worker_up", kGauge, "1 while the worker's thread runs."},
     [](const Source& from, Exposition& to) {
         for (const WorkerMetrics& worker : from.node.workers) {
             to.sample({{"worker", std::to_string(worker.id)}}, uint64_t{worker.alive});
         }
     }},
    {{"podlane_worker_receive_packets", kCounter, "Packets that a worker took from ports."},
     of_workers<&WorkerMetrics::rx_packets>},
    {{"podlane_worker_slow_path_packets", kCounter,
      "Packets that a worker could not finish in the fast path."},
     of_workers<&WorkerMetrics::slow_path>},
    {{"podlane_worker_held_packets", kCounter, "Packets that waited for a neighbour."},
     of_workers<&WorkerMetrics::held>},
    {{"podlane_worker_busy_cycles", kCounter, "TSC cycles of turns that moved a packet."},
     of_workers<&WorkerMetrics::busy_cycles>},
    {{"podlane_worker_idle_cycles", kCounter, "TSC cycles of turns that did not, sleep included."},
     of_workers<&WorkerMetrics::idle_cycles>},
    {{"podlane_packet_latency_seconds", kHistogram,
      "From the look at a port that brought a packet to its being sent."},
     [](const Source& from, Exposition& to) {
         for (const WorkerMetrics& worker : from.node.workers) {
             histogram({{"worker", std::to_string(worker.id)}}, worker.latency, to);
         }
     }},

    {{"podlane_drops", kCounter, "Dropped packets by reason; podlanectl drops explains each."},
     [](const Source& from, Exposition& to) {
         for (size_t i = 1; i < kDropCount; ++i) {
             to.sample({{"reason", kDropInfo[i].name}}, from.node.drops[i]);
         }
     }},

    {{"podlane_flow_table_connections", kGauge, "Connections in the flow table now."},
     of_flows<&FlowTotals::active>},
    {{"podlane_flow_table_capacity", kGauge, "Connections that it holds at most."},
     of_flows<&FlowTotals::capacity>},
    {{"podlane_flows_created", kCounter, "Connections that were made."},
     of_flows<&FlowTotals::created>},
    {{"podlane_flows_expired", kCounter, "Connections that ended by age, or on request."},
     of_flows<&FlowTotals::expired>},
    {{"podlane_flows_evicted", kCounter, "Connections that gave way to new ones."},
     of_flows<&FlowTotals::evicted>},
    {{"podlane_flows_refused", kCounter, "New connections that found no room."},
     of_flows<&FlowTotals::refused>},
    {{"podlane_affinity_capacity", kGauge,
      "Clients that session affinity can remember, in each family."},
     one<&NodeMetrics::affinity_capacity>},
    {{"podlane_affinity_full", kCounter,
      "Connections for whose client session affinity had no room."},
     one<&NodeMetrics::affinity_full>},
    {{"podlane_snat_port_tries", kCounter,
      "Source ports that were tried because the first one was another connection's."},
     one<&NodeMetrics::snat_tries>},
    {{"podlane_snat_exhausted_destinations", kGauge,
      "Destinations remembered for having run out of source ports; podlanectl stats names them."},
     one<&NodeMetrics::snat_exhausted>},
    {{"podlane_packet_buffers", kGauge, "Packet buffers by state."},
     [](const Source& from, Exposition& to) {
         const BufferTotals& buffers = from.node.buffers;
         to.sample({{"state", "free"}}, uint64_t{buffers.free});
         to.sample({{"state", "used"}}, uint64_t{buffers.total - buffers.free});
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
     one<&NodeMetrics::other_services>},
    {{"podlane_load_balancer_services", kGauge,
      "LoadBalancer Services by what became of their address."},
     [](const Source& from, Exposition& to) {
         by_word<&NodeMetrics::addresses>("state", from, to);
     }},

    {{"podlane_dns_queries", kCounter,
      "DNS queries by who answered, a worker or the server behind them, and outcome."},
     [](const Source& from, Exposition& to) {
         if (!from.node.dns) return;
         dns_outcomes("worker", from.node.dns->by_workers, to);
         if (from.node.dns->server) dns_outcomes("server", from.node.dns->server->outcomes, to);
     }},
    {{"podlane_dns_truncated", kCounter, "Answers of workers that were cut to fit."},
     [](const Source& from, Exposition& to) {
         if (from.node.dns) to.sample({}, from.node.dns->truncated);
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

    {{"podlane_neighbours", kGauge, "Neighbours by state."},
     [](const Source& from, Exposition& to) {
         by_word<&NodeMetrics::neighbours>("state", from, to);
     }},
    {{"podlane_objects", kGauge, "Kubernetes objects by kind."},
     [](const Source& from, Exposition& to) { by_word<&NodeMetrics::objects>("kind", from, to); }},
    {{"podlane_generation", kGauge, "The number of the generation in use."},
     one<&NodeMetrics::generation>},
    {{"podlane_changes", kCounter, "Changes of objects by result."},
     [](const Source& from, Exposition& to) {
         to.sample({{"result", "applied"}}, from.node.changes);
         to.sample({{"result", "refused"}}, from.node.refused_changes);
     }},
    {{"podlane_publish_duration_seconds", kHistogram,
      "From a change's being complete to its generation's being in use by every worker."},
     [](const Source& from, Exposition& to) { histogram({}, from.node.publish, to); }},

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
