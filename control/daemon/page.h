// The page that shows the node: its files, and the read-only answers that it asks for.
//
// The daemon registers it at its start where the configuration says so (`metrics.page`); it runs on
// the control thread, of whose time it takes a tenth at most (control/page/time_share.h).
#pragma once

#include "control/http/http_server.h"
#include "control/node/node_model.h"

namespace podlane::control {

/// `node` and `dataplane` must outlive the server.
void add_page(HttpServer& server, const NodeModel& node, const Dataplane& dataplane);

}  // namespace podlane::control
