// The views as JSON, for the config socket (docs/rpc.md).
//
// The socket's bindings call it, on the control thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/rpc/request.h"
#include "control/show/answers_json.h"
#include "control/show/news_json.h"
#include "control/show/outcome.h"
#include "control/show/rows_json.h"
#include "control/show/stats_json.h"
#include "control/show/views.h"

namespace podlane::control {

[[nodiscard]] nlohmann::ordered_json to_json(const ChangeReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const RefusedView& refused);
[[nodiscard]] nlohmann::ordered_json to_json(const PodPortView& port);
[[nodiscard]] nlohmann::ordered_json to_json(const PodRemoval& removal);
[[nodiscard]] nlohmann::ordered_json to_json(const HealthReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const AttachFacts& facts);
[[nodiscard]] nlohmann::ordered_json to_json(const LogLevelView& view);

/// With the code of docs/rpc.md, and its place where it has one.
[[nodiscard]] RpcFailure to_failure(const Refusal& refusal);

/// Of a question that cannot be refused.
template <class T>
[[nodiscard]] RpcResult to_reply(const T& view) {
    return to_json(view);
}

template <class T>
[[nodiscard]] RpcResult to_reply(const Outcome<T>& outcome) {
    if (!outcome.ok()) return to_failure(outcome.refusal());
    return to_json(outcome.value());
}

}  // namespace podlane::control
