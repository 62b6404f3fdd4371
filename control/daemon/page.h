// The web page that shows the node: its files, and the read-only answers that it requests.
//
// The daemon registers it at start if the configuration says so (`metrics.page`). It runs on the
// control thread and takes at most a tenth of its time (control/page/time_share.h).
#pragma once

#include "control/http/http_server.h"
#include "control/node/node_model.h"

namespace podlane::control {

/// `node` and `dataplane` must outlive the server.
void add_page(HttpServer& server, NodeModel& node, const Dataplane& dataplane);

}  // namespace podlane::control
