#include "control/metrics/service_series.h"

#include <algorithm>
#include <tuple>

namespace podlane::control {

void ServiceSeries::divide(std::vector<ServiceMetrics> all, NodeMetrics& out) {
    std::set<Name> there;
    for (const ServiceMetrics& service : all) there.emplace(service.name_space, service.name);
    const auto is_gone = [&there](const Name& name) { return !there.contains(name); };
    std::erase_if(shown_, is_gone);
    std::erase_if(others_, [&](const auto& entry) { return is_gone(entry.first); });

    const size_t count = all.size();
    out.services.clear();
    out.other_services = 0;
    // The busiest first, for the remaining places.
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.connections > b.connections; });
    for (ServiceMetrics& service : all) {
        const Name name(service.name_space, service.name);
        const auto other = others_.find(name);
        // Services counted among the others stay there: the sum of the others must not fall.
        if (!shown_.contains(name) && other == others_.end() && shown_.size() < most_ &&
            (service.connections > 0 || count <= most_)) {
            shown_.insert(name);
        }
        if (shown_.contains(name)) {
            out.services.push_back(std::move(service));
            continue;
        }
        ++out.other_services;
        if (service.connections == 0) continue;
        uint64_t& counted = others_[name];
        if (service.connections > counted) others_total_ += service.connections - counted;
        counted = service.connections;
    }
    out.other_connections = others_total_;
    std::sort(out.services.begin(), out.services.end(), [](const auto& a, const auto& b) {
        return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
    });
}

}  // namespace podlane::control
