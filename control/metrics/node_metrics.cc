#include "control/metrics/node_metrics.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lib/telemetry/latency.h"

namespace podlane::control {

DurationMetrics duration_metrics(const LatencyStats& durations) {
    DurationMetrics out;
    size_t next = 0;
    for (const LatencyBucket& bucket : durations.buckets) {
        // Every power of two is also a boundary of the histogram's own buckets.
        while (next < out.counts.size() && bucket.longest_ns > DurationMetrics::longest_ns(next)) {
            out.counts[next++] = out.count;
        }
        const size_t place = LatencyHistogram::bucket_of(bucket.longest_ns);
        const uint64_t shortest = place == 0 ? 0 : LatencyHistogram::longest_ns(place - 1) + 1;
        out.count += bucket.packets;
        out.sum_seconds += static_cast<double>(bucket.packets) *
                           static_cast<double>(shortest + bucket.longest_ns) / 2e9;
    }
    while (next < out.counts.size()) out.counts[next++] = out.count;
    return out;
}

std::vector<ServiceMetrics> service_metrics(const std::vector<ServiceStats>& stats,
                                            const std::vector<FrontendRow>& served) {
    std::map<std::string, ServiceMetrics> services;
    for (const FrontendRow& row : served) {
        if (row.kind == FrontendKind::kHostPort) continue;
        uint64_t& endpoints = services[row.service].endpoints;
        endpoints = std::max<uint64_t>({endpoints, row.inside.size(), row.outside.size()});
    }
    for (const ServiceStats& each : stats) {
        const auto found = services.find(each.service);
        if (found != services.end()) found->second.connections = each.created;
    }
    std::vector<ServiceMetrics> out;
    for (auto& [name, service] : services) {
        const size_t slash = name.find('/');
        service.name_space = name.substr(0, slash);
        service.name = slash == std::string::npos ? name : name.substr(slash + 1);
        out.push_back(std::move(service));
    }
    return out;
}

}  // namespace podlane::control
