// What podlaned answers over HTTP: /metrics, /healthz and /readyz.
//
// The daemon registers them at its start; they run on the control thread.
#pragma once

#include <cstddef>
#include <string>

#include "control/http/http_server.h"
#include "control/node/node_model.h"

namespace podlane::control {

/// `node` must outlive the server. `dpdk`: its version. `most_services`: with series of their own.
void add_http_pages(HttpServer& server, const NodeModel& node, const std::string& dpdk,
                    size_t most_services);

}  // namespace podlane::control
