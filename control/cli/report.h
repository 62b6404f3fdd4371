// What podlanectl prints in words and tables for everything but `get`.
//
// Each takes the config socket's reply (docs/rpc.md) and returns text that ends with a line end.
// Missing fields are shown as absent; no field is assumed to be present.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/cli/table.h"

namespace podlane::control {

/// "Service shop/web" of {kind, namespace, name}.
[[nodiscard]] std::string change_name(const nlohmann::ordered_json& object);

/// apply, delete, replace: what happened to each object.
[[nodiscard]] std::string change_text(const nlohmann::ordered_json& reply);

/// validate, diff: what apply would do, in one line.
[[nodiscard]] std::string plan_text(const nlohmann::ordered_json& reply);

/// A state of the counters to compare with, and how long ago it was.
struct StatsBefore {
    nlohmann::ordered_json reply;
    double seconds = 1;
};

/// stats; with `before`, rates since then.
[[nodiscard]] std::string stats_text(const nlohmann::ordered_json& reply,
                                     const std::optional<StatsBefore>& before,
                                     const Screen& screen = {});

/// drops: the reasons that have occurred; all where the screen is wide.
[[nodiscard]] std::string drops_text(const nlohmann::ordered_json& reply,
                                     const Screen& screen = {});

[[nodiscard]] std::string explain_text(const nlohmann::ordered_json& reply,
                                       const Screen& screen = {});
[[nodiscard]] std::string resolve_text(const nlohmann::ordered_json& reply);
[[nodiscard]] std::string health_text(const nlohmann::ordered_json& reply,
                                      const Screen& screen = {});
/// flannel: this node's VTEP, and the command that annotates its Node object with it.
[[nodiscard]] std::string flannel_text(const nlohmann::ordered_json& reply);
[[nodiscard]] std::string pod_add_text(const nlohmann::ordered_json& reply);

}  // namespace podlane::control
