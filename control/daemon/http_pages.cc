#include "control/daemon/http_pages.h"

#include <memory>
#include <utility>
#include <variant>

#include "control/daemon/version.h"
#include "control/metrics/families.h"
#include "control/metrics/service_series.h"
#include "lib/base/printable.h"

namespace podlane::control {

namespace {

/// The rows of one kind of live state.
template <class Row>
std::vector<Row> rows_of(const NodeModel& node, std::string_view kind) {
    auto listing = node.get(kind, std::nullopt, 0);
    auto* const rows =
        listing.ok() ? std::get_if<std::vector<Row>>(&listing.value().rows) : nullptr;
    return rows != nullptr ? std::move(*rows) : std::vector<Row>();
}

NodeMetrics metrics_of(const NodeModel& node, ServiceSeries& series) {
    NodeMetrics out;
    out.stats = node.stats();
    out.health = node.health().value();
    out.is_serving = node.is_serving();
    out.ports = rows_of<PortRow>(node, "ports");
    out.neighbours = rows_of<NeighbourRow>(node, "neighbors");
    series.divide(service_metrics(out.stats.services, rows_of<FrontendRow>(node, "frontends")),
                  out);
    return out;
}

/// 200 or 503; problems are listed below the first line. `probe`: "live" or "ready".
HttpAnswer state(const NodeModel& node, std::string_view probe) {
    const auto health = node.health(probe);
    const bool is_well = health.ok() && health.value().is_well;
    HttpAnswer answer{.status = is_well ? 200U : 503U, .body = is_well ? "ok\n" : "not ok\n"};
    if (!health.ok()) return answer;
    for (const std::string& problem : health.value().problems) {
        answer.body += printable(problem) + "\n";
    }
    for (const std::string& problem : health.value().elsewhere) {
        answer.body += "elsewhere: " + printable(problem) + "\n";
    }
    return answer;
}

}  // namespace

void add_http_pages(HttpServer& server, const NodeModel& node, const std::string& dpdk,
                    size_t most_services) {
    const auto series = std::make_shared<ServiceSeries>(most_services);
    server.add("/metrics", [&node, dpdk, series](const HttpRequest& request) {
        const MetricsFormat format = metrics_format(request.accept);
        return HttpAnswer{
            .content_type = std::string(content_type(format)),
            .body = metrics_text(metrics_of(node, *series), {version(), dpdk}, format)};
    });
    server.add("/healthz", [&node](const HttpRequest&) { return state(node, "live"); });
    server.add("/readyz", [&node](const HttpRequest&) { return state(node, "ready"); });
}

}  // namespace podlane::control
