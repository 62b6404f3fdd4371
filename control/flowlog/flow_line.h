// A logged connection as one line of JSON.
//
// For the flow log's file; docs/config.md has the fields. Pure.
#pragma once

#include <string>

#include "control/show/logged_flow.h"

namespace podlane::control {

/// With its end.
[[nodiscard]] std::string flow_line(const LoggedFlow& flow);

}  // namespace podlane::control
