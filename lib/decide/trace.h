// Receivers for the steps of a decision: NoTrace on the packet path, StepTrace for `explain`.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace podlane {

/// One step of a decision, in words.
struct PathStep {
    std::string stage;  ///< "service", "route", "masquerade", ...
    std::string what;   ///< what was decided
    std::string why;    ///< the rule or object behind it
};

/// Collects the steps. Not for the packet path.
struct StepTrace {
    static constexpr bool kEnabled = true;
    std::vector<PathStep> steps;
    void step(std::string stage, std::string what, std::string why) {
        steps.push_back({std::move(stage), std::move(what), std::move(why)});
    }
};

/// Compiles to nothing: callers build their texts only under `if constexpr (Trace::kEnabled)`.
struct NoTrace {
    static constexpr bool kEnabled = false;
};

}  // namespace podlane
