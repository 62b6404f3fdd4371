#include "control/compile/frontend_list.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "control/kube/meta.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// A frontend with what it is sorted by.
struct Row {
    std::string service;
    FrontendKind kind;
    uint8_t protocol;
    uint16_t port;
    bool is_v6;
    IpAddress address;
    Json json;

    [[nodiscard]] auto order() const {
        return std::tie(service, kind, protocol, port, is_v6, address);
    }
};

template <Family F>
Json endpoints_json(const EndpointSet<F>& set) {
    // Sorted by address and port as numbers, as the set is.
    Json list = Json::array();
    for (const auto& endpoint : set.endpoints) {
        list.push_back(to_string(IpAddress(endpoint.address), endpoint.port.host()));
    }
    return list;
}

template <Family F>
Json to_json(const Frontend<F>& frontend) {
    Json ranges = Json::array();
    if (frontend.source_ranges) {
        for (const auto& range : *frontend.source_ranges) {
            ranges.push_back(to_string(IpPrefix{range.address, range.length}));
        }
    }
    return {{"service", frontend.service_name},
            {"portName", frontend.port_name},
            {"kind", to_string(frontend.kind)},
            {"address",
             frontend.any_address ? std::string("*") : to_string(IpAddress(frontend.address))},
            {"protocol", protocol_name(static_cast<Protocol>(frontend.protocol))},
            {"port", frontend.port.host()},
            {"inside", endpoints_json(*frontend.inside)},
            {"outside", endpoints_json(*frontend.outside)},
            {"whenEmpty", frontend.drop_when_empty ? "drop" : "reject"},
            {"affinitySeconds", frontend.affinity_seconds},
            {"sourceRanges", std::move(ranges)}};
}

template <Family F>
void collect(const Snapshot& snapshot, std::string_view service, std::vector<Row>& rows) {
    snapshot.family<F>().frontends.for_each([&](const Frontend<F>& frontend) {
        if (!service.empty() && frontend.service_name != service) return;
        rows.push_back({frontend.service_name, frontend.kind, frontend.protocol,
                        frontend.port.host(), std::same_as<F, V6>, frontend.address,
                        to_json(frontend)});
    });
}

}  // namespace

Json frontends_json(const Snapshot& snapshot, std::string_view service) {
    std::vector<Row> rows;
    collect<V4>(snapshot, service, rows);
    collect<V6>(snapshot, service, rows);
    std::sort(rows.begin(), rows.end(),
              [](const Row& a, const Row& b) { return a.order() < b.order(); });
    Json out = Json::array();
    for (Row& row : rows) out.push_back(std::move(row.json));
    return out;
}

}  // namespace podlane::control
