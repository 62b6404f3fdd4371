// `get flows`: its filters and order, and a table of any size, page by page.
//
// Called by `get` for connections. Pages are requested one after another, so that podlaned can
// answer other clients in between and no process has to hold a million rows.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "control/cli/command.h"
#include "control/cli/target.h"

namespace podlane::control {

struct CliEnvironment;

/// The options of `get` that are for connections alone.
[[nodiscard]] std::span<const OptionRow> flow_options() noexcept;

/// Says what is wrong with these options for these targets; "": they are valid.
[[nodiscard]] std::string flow_options_fault(const Invocation& call,
                                             const std::vector<Target>& targets);

/// The parameters of the method `get` that the options ask for.
void add_flow_params(const Invocation& call, nlohmann::ordered_json& params);

/// Prints the connections of the target as they come, or with --sort the first of all.
int run_flows(const Invocation& call, const Target& target, CliEnvironment& environment);

}  // namespace podlane::control
