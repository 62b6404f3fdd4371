// What on this machine, and on the node that runs on it, stands in podlane's way: each check a row
// of a table, each finding with what it costs and how to mend it.
//
// `podlanectl doctor` calls it, before podlaned is installed as well: what needs a running node is
// asked of its answers, which may be absent.
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
    std::string mend;  ///< what it costs and how to mend it; empty where nothing is to be done
};

/// Answers of the node's socket (docs/rpc.md); null where there is none.
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
