// What podlaned answers over HTTP: /metrics, /healthz and /readyz.
//
// The daemon registers them at its start; they run on the control thread.
#pragma once

#include <string>

#include "control/http/http_server.h"
#include "control/node/node_model.h"

namespace podlane::control {

/// `node` must outlive the server. `dpdk`: its version.
void add_http_pages(HttpServer& server, NodeModel& node, const std::string& dpdk);

}  // namespace podlane::control
