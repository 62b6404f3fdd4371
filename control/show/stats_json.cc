#include "control/show/stats_json.h"

#include <string>
#include <utility>

#include "control/show/text.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json ports_json(const std::vector<PortStats>& ports) {
    Json out = Json::array();
    for (const PortStats& port : ports) {
        out.push_back({{"name", port.name},
                       {"kind", to_string(port.kind)},
                       {"device", port.device},
                       {"rxPackets", port.totals.rx_packets},
                       {"rxBytes", port.totals.rx_bytes},
                       {"txPackets", port.totals.tx_packets},
                       {"txBytes", port.totals.tx_bytes},
                       {"rxDropped", port.totals.rx_dropped},
                       {"txDropped", port.totals.tx_dropped},
                       {"deviceLosses",
                        {{"rxMissed", port.losses.rx_missed},
                         {"rxErrors", port.losses.rx_errors},
                         {"rxNoBuffer", port.losses.rx_no_buffer},
                         {"txErrors", port.losses.tx_errors}}}});
    }
    return out;
}

Json latency_json(const LatencyStats& latency) {
    Json buckets = Json::array();
    for (const LatencyBucket& bucket : latency.buckets) {
        buckets.push_back({bucket.longest_ns, bucket.packets});
    }
    return {{"p50Ns", latency.p50_ns},
            {"p99Ns", latency.p99_ns},
            {"p999Ns", latency.p999_ns},
            {"buckets", std::move(buckets)}};
}

Json workers_json(const std::vector<WorkerStats>& workers) {
    Json out = Json::array();
    for (const WorkerStats& worker : workers) {
        out.push_back({{"id", worker.id},
                       {"cpu", worker.cpu},
                       {"tid", worker.tid},
                       {"rxPackets", worker.rx_packets},
                       {"busyCycles", worker.busy_cycles},
                       {"idleCycles", worker.idle_cycles},
                       {"latency", latency_json(worker.latency)}});
    }
    return out;
}

Json snat_json(const SnatStats& snat) {
    Json exhausted = Json::array();
    for (const SnatShortage& shortage : snat.exhausted) {
        const SnatTarget& target = shortage.target;
        exhausted.push_back({{"protocol", protocol_text(target.protocol)},
                             {"from", to_string(target.source.to_ip())},
                             {"to", endpoint_text(target.destination.to_ip(), target.port)},
                             {"refused", shortage.refused}});
    }
    return {{"tries", snat.tries}, {"exhausted", std::move(exhausted)}};
}

Json outcomes_json(const std::array<uint64_t, kDnsOutcomes>& counts) {
    Json out = Json::object();
    for (size_t i = 0; i < kDnsOutcomes; ++i) {
        out[to_string(static_cast<DnsOutcome>(i))] = counts[i];
    }
    return out;
}

Json name_server_json(const NameServerStats& server) {
    Json upstreams = Json::array();
    for (const Upstream& one : server.upstreams) {
        upstreams.push_back({{"server", to_string(one.server)},
                             {"healthy", one.is_healthy},
                             {"asked", one.asked},
                             {"failed", one.failed},
                             {"edns", one.has_edns},
                             {"lastAnswerMicroseconds", one.answer_us}});
    }
    return {
        {"udpQueries", server.udp_queries},         {"tcpQueries", server.tcp_queries},
        {"tcpConnections", server.tcp_connections}, {"outcomes", outcomes_json(server.outcomes)},
        {"cacheHits", server.forwarder.cache_hits}, {"cached", server.cached},
        {"asked", server.forwarder.asked},          {"unanswered", server.forwarder.failed},
        {"upstreams", std::move(upstreams)}};
}

Json frames_json(const FrameStats& frames) {
    return {{"received", frames.received},
            {"made", frames.made},
            {"sent", frames.sent},
            {"dropped", frames.dropped},
            {"taken", frames.taken},
            {"held", frames.held},
            {"lostBefore", frames.lost_before},
            {"lostAfter", frames.lost_after},
            {"buffers", {{"total", frames.buffers_total}, {"inUse", frames.buffers_in_use}}}};
}

Json stages_json(const NodeStats& stats) {
    Json out = Json::object();
    for (size_t i = 0; i < kPipelineStages.size(); ++i) {
        out[std::string(kPipelineStages[i])] = {{"in", stats.stages[i].in},
                                                {"out", stats.stages[i].out}};
    }
    return out;
}

Json dns_json(const DnsStats& dns) {
    Json out = {{"workers", outcomes_json(dns.workers)}, {"truncated", dns.truncated}};
    if (dns.server) out["server"] = name_server_json(*dns.server);
    return out;
}

}  // namespace

Json to_json(const NodeStats& stats) {
    Json drops = Json::object(), services = Json::array();
    for (size_t i = 1; i < kDropCount; ++i) drops[std::string(kDropInfo[i].name)] = stats.drops[i];
    for (const ServiceStats& one : stats.services) {
        services.push_back({{"service", one.service}, {"created", one.created}});
    }
    Json out = {
        {"generation", stats.generation},
        {"ports", ports_json(stats.ports)},
        {"workers", workers_json(stats.workers)},
        {"frames", frames_json(stats.frames)},
        {"stages", stages_json(stats)},
        {"drops", std::move(drops)},
        {"flows",
         {{"active", stats.flows.active},
          {"capacity", stats.flows.capacity},
          {"created", stats.flows.created},
          {"expired", stats.flows.expired},
          {"evicted", stats.flows.evicted},
          {"refused", stats.flows.refused},
          {"kernel", stats.kernel_flows}}},
        {"objects",
         {{"refused", stats.objects.refused}, {"refusedTotal", stats.objects.refused_total}}},
        {"affinity", {{"capacity", stats.affinity.capacity}, {"full", stats.affinity.full}}},
        {"snat", snat_json(stats.snat)},
        {"services", std::move(services)},
        {"loadBalancer",
         {{"assigned", stats.load_balancer.assigned},
          {"pending", stats.load_balancer.pending},
          {"refused", stats.load_balancer.refused}}}};
    if (stats.dns) out["dns"] = dns_json(*stats.dns);
    if (stats.flow_log) {
        out["flowLog"] = {{"written", stats.flow_log->written}, {"lost", stats.flow_log->lost}};
    }
    return out;
}

Json to_json(const NewFlowReport& report) {
    Json sources = Json::array();
    for (const NewFlowSource& source : report.sources) {
        Json item = {{"from", to_string(source.address)}};
        if (!source.pod.empty()) item["pod"] = source.pod;
        item["inPort"] = source.port;
        item["flows"] = source.flows;
        item["denied"] = source.denied;
        item["lastTo"] = source.last_to;
        sources.push_back(std::move(item));
    }
    return {{"milliseconds", report.milliseconds},
            {"flows", report.flows},
            {"mostError", report.most_error},
            {"sources", std::move(sources)}};
}

Json to_json(const PeerReport& report) {
    Json peers = Json::array();
    for (const PeerStats& peer : report.peers) {
        peers.push_back({{"node", peer.node},
                         {"rxPackets", peer.traffic.rx_packets},
                         {"rxBytes", peer.traffic.rx_bytes},
                         {"txPackets", peer.traffic.tx_packets},
                         {"txBytes", peer.traffic.tx_bytes}});
    }
    return {{"milliseconds", report.milliseconds}, {"peers", std::move(peers)}};
}

Json to_json(const DropStats& drops) {
    Json out = Json::array();
    for (size_t i = 1; i < kDropCount; ++i) {
        out.push_back({{"reason", std::string(kDropInfo[i].name)},
                       {"packets", drops.packets[i]},
                       {"help", std::string(kDropInfo[i].help)}});
    }
    return out;
}

}  // namespace podlane::control
