// What podlanectl prints in words and tables for everything but `get`.
//
// Each takes the config socket's reply (docs/rpc.md) and gives text whose lines are ended. Fields
// that are missing are shown as absent, never trusted to be there.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/cli/options.h"

namespace podlane::control {

/// apply, delete, replace, validate, diff: what became, or would become, of which object.
[[nodiscard]] std::string change_text(CliCommand command, const nlohmann::ordered_json& reply);

/// A state of the counters to compare with, and how long ago it was.
struct StatsBefore {
    nlohmann::ordered_json reply;
    double seconds = 1;
};

/// stats; with `before`, rates since then stand beside the counters.
[[nodiscard]] std::string stats_text(const nlohmann::ordered_json& reply,
                                     const std::optional<StatsBefore>& before);

/// drops: the reasons that have occurred, or all.
[[nodiscard]] std::string drops_text(const nlohmann::ordered_json& reply, bool all);

[[nodiscard]] std::string explain_text(const nlohmann::ordered_json& reply);
[[nodiscard]] std::string resolve_text(const nlohmann::ordered_json& reply);
[[nodiscard]] std::string health_text(const nlohmann::ordered_json& reply);
[[nodiscard]] std::string pod_add_text(const nlohmann::ordered_json& reply);

}  // namespace podlane::control
