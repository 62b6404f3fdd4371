// Checks this machine, and the node that runs on it, for problems: each check is a row of a table,
// each finding says what it costs and how to fix it.
//
// `podlanectl doctor` calls it, also before podlaned is installed: checks of a running node use its
// answers, which may be absent.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/doctor/machine.h"

namespace podlane::control {

enum class Severity : uint8_t {
    kOk,
    kNote,  ///< would be faster otherwise
    kWarn,  ///< packets may be lost, or go other ways
    kFail,  ///< podlaned does not work like this
};

[[nodiscard]] constexpr std::string_view to_string(Severity severity) noexcept {
    switch (severity) {
        case Severity::kOk:
            return "ok";
        case Severity::kNote:
            return "note";
        case Severity::kWarn:
            return "warn";
        case Severity::kFail:
            return "FAIL";
    }
    return "";
}

struct Finding {
    Severity severity = Severity::kOk;
    std::string_view check;  ///< the row's name
    std::string what;        ///< what was found
    std::string mend;        ///< what it costs and how to fix it; empty if there is nothing to do
};

/// Answers of the node's socket (docs/rpc.md); null if there is none.
struct NodeAnswers {
    nlohmann::ordered_json health, stats, ports, version;
    std::string error;  ///< why there is none
};

/// Who asks.
struct Asker {
    bool is_root = false;
    std::string version;  ///< podlanectl's
};

/// All findings, in the order of the checks.
[[nodiscard]] std::vector<Finding> examine(const Machine& machine, const NodeAnswers& node,
                                           const Asker& asker);

}  // namespace podlane::control
