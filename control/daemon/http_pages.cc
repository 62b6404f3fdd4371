#include "control/daemon/http_pages.h"

#include "control/daemon/version.h"
#include "control/metrics/families.h"

namespace podlane::control {

namespace {

HttpAnswer metrics(NodeModel& node, const std::string& dpdk, const HttpRequest& request) {
    const MetricsFormat format = metrics_format(request.accept);
    return {.content_type = std::string(content_type(format)),
            .body = metrics_text(node.metrics(), {kVersion, dpdk}, format)};
}

/// 200 or 503; what is wrong stands below the first line.
HttpAnswer health(NodeModel& node, bool is_well) {
    HttpAnswer answer{.status = is_well ? 200U : 503U, .body = is_well ? "ok\n" : "not ok\n"};
    for (const std::string& problem : node.problems()) answer.body += problem + "\n";
    return answer;
}

}  // namespace

void add_http_pages(HttpServer& server, NodeModel& node, const std::string& dpdk) {
    server.add("/metrics",
               [&node, dpdk](const HttpRequest& request) { return metrics(node, dpdk, request); });
    server.add("/healthz",
               [&node](const HttpRequest&) { return health(node, node.has_all_workers()); });
    server.add("/readyz", [&node](const HttpRequest&) { return health(node, node.is_serving()); });
}

}  // namespace podlane::control
