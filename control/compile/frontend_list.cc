#include "control/compile/frontend_list.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace podlane::control {

namespace {

/// A frontend with its sort key: a NodePort has an address too, the unspecified one.
struct Sorted {
    FrontendRow row;
    IpAddress address;

    [[nodiscard]] auto order() const {
        return std::tuple(std::string_view(row.service), row.kind, row.protocol, row.port,
                          address.is_v6(), address);
    }
};

/// Sorted by numeric address and port, as the set is.
template <Family F>
std::vector<ServedEndpoint> endpoints_of(const EndpointSet<F>& set) {
    std::vector<ServedEndpoint> list;
    list.reserve(set.endpoints.size());
    for (const auto& endpoint : set.endpoints) {
        list.push_back({IpAddress(endpoint.address), endpoint.port.host()});
    }
    return list;
}

template <Family F>
FrontendRow row_of(const Frontend<F>& frontend) {
    FrontendRow row;
    row.service = frontend.service_name;
    row.port_name = frontend.port_name;
    row.kind = frontend.kind;
    if (!frontend.any_address) row.address = IpAddress(frontend.address);
    row.protocol = frontend.protocol;
    row.port = frontend.port.host();
    row.inside = endpoints_of(*frontend.inside);
    row.outside = endpoints_of(*frontend.outside);
    row.drop_when_empty = frontend.drop_when_empty;
    row.affinity_seconds = frontend.affinity_seconds;
    if (frontend.source_ranges) {
        for (const auto& range : *frontend.source_ranges) {
            row.source_ranges.push_back(IpPrefix{range.address, range.length});
        }
    }
    return row;
}

template <Family F>
void collect(const Snapshot& snapshot, std::string_view service, std::vector<Sorted>& rows) {
    snapshot.family<F>().frontends.for_each([&](const Frontend<F>& frontend) {
        if (!service.empty() && frontend.service_name != service) return;
        rows.push_back({row_of(frontend), IpAddress(frontend.address)});
    });
}

}  // namespace

std::vector<FrontendRow> frontend_rows(const Snapshot& snapshot, std::string_view service) {
    std::vector<Sorted> sorted;
    collect<V4>(snapshot, service, sorted);
    collect<V6>(snapshot, service, sorted);
    std::sort(sorted.begin(), sorted.end(),
              [](const Sorted& a, const Sorted& b) { return a.order() < b.order(); });
    std::vector<FrontendRow> rows;
    rows.reserve(sorted.size());
    for (Sorted& one : sorted) rows.push_back(std::move(one.row));
    return rows;
}

}  // namespace podlane::control
