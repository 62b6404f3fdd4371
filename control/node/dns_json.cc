#include "control/node/dns_json.h"

#include <array>
#include <string>

#include "lib/base/ip_address.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

Json outcomes_json(const std::array<uint64_t, kDnsOutcomes>& counts) {
    Json out = Json::object();
    for (size_t i = 0; i < kDnsOutcomes; ++i) {
        out[to_string(static_cast<DnsOutcome>(i))] = counts[i];
    }
    return out;
}

Json upstreams_json(const std::vector<Upstream>& upstreams) {
    Json out = Json::array();
    for (const Upstream& one : upstreams) {
        out.push_back({{"server", to_string(one.server)},
                       {"healthy", one.is_healthy},
                       {"asked", one.asked},
                       {"failed", one.failed},
                       {"edns", one.has_edns},
                       {"lastAnswerMicroseconds", one.answer_us}});
    }
    return out;
}

}  // namespace

Json dns_stats_json(const Dataplane& dataplane, const NameServer* server) {
    std::array<uint64_t, kDnsOutcomes> sums{};
    uint64_t truncated = 0;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const WorkerCounters& counters = dataplane.counters(worker.id);
        for (size_t i = 0; i < kDnsOutcomes; ++i) sums[i] += counters.dns[i].get();
        truncated += counters.dns_truncated.get();
    }
    Json out = {{"workers", outcomes_json(sums)}, {"truncated", truncated}};
    if (server == nullptr) return out;
    const NameServerStats stats = server->stats();
    out["server"] = {{"udpQueries", stats.udp_queries},
                     {"tcpQueries", stats.tcp_queries},
                     {"tcpConnections", stats.tcp_connections},
                     {"outcomes", outcomes_json(stats.outcomes)},
                     {"cacheHits", stats.forwarder.cache_hits},
                     {"cached", stats.cached},
                     {"asked", stats.forwarder.asked},
                     {"unanswered", stats.forwarder.failed},
                     {"upstreams", upstreams_json(stats.upstreams)}};
    return out;
}

}  // namespace podlane::control
