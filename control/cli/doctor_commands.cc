// The row of `doctor`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/run.h"
#include "control/doctor/doctor.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kDoctorOptions = std::to_array<OptionRow>({
    {"all", 'a', OptionType::kFlag, "", "checks that passed as well"},
    {"root", 0, OptionType::kText, "FOLDER", "look at /proc, /sys and /dev below this one"},
});

NodeAnswers ask_node(const Invocation& call) {
    NodeAnswers answers;
    auto client = connect(call);
    if (!client) {
        answers.error = client.error().message;
        return answers;
    }
    const auto get = [&](std::string_view method, const Json& params = nullptr) {
        auto reply = client->call(method, params);
        return reply ? std::move(reply).value() : Json();
    };
    answers.version = get("version");
    answers.health = get("health");
    answers.stats = get("stats");
    answers.ports = at(get("get", Json{{"kind", "ports"}}), "/items");
    return answers;
}

Json findings_json(const std::vector<Finding>& findings) {
    Json out = Json::array();
    for (const Finding& each : findings) {
        Json item{
            {"severity", to_string(each.severity)}, {"check", each.check}, {"found", each.what}};
        if (!each.mend.empty()) item["mend"] = each.mend;
        out.push_back(std::move(item));
    }
    return out;
}

std::string findings_text(const std::vector<Finding>& findings, bool all) {
    std::string out;
    for (const Finding& each : findings) {
        if (each.severity == Severity::kOk && !all) continue;
        out += fmt::format("{:<5} {:<10} {}\n", to_string(each.severity), each.check,
                           printable(each.what));
        if (!each.mend.empty()) out += fmt::format("{:<16} {}\n", "", printable(each.mend));
    }
    return out;
}

int run_doctor(const Invocation& call, CliEnvironment& environment) {
    const Machine machine(call.has("root") ? call.text("root") : std::string());
    const auto findings =
        examine(machine, ask_node(call), {.is_root = ::geteuid() == 0, .version = PODLANE_VERSION});
    const auto count = [&](Severity severity) {
        return std::ranges::count(findings, severity, &Finding::severity);
    };
    if (call.format == OutputFormat::kTable || call.format == OutputFormat::kWide) {
        environment.out << findings_text(findings,
                                         call.has("all") || call.format == OutputFormat::kWide)
                        << fmt::format("{} failed, {} warnings, {} notes, {} well\n",
                                       count(Severity::kFail), count(Severity::kWarn),
                                       count(Severity::kNote), count(Severity::kOk));
    } else {
        environment.out << data_text(call.format, findings_json(findings));
    }
    if (const int code = finish(environment); code != exit_code::kDone) return code;
    if (count(Severity::kFail) != 0) return exit_code::kFailed;
    return count(Severity::kWarn) != 0 ? exit_code::kDegraded : exit_code::kDone;
}

constexpr std::array kDoctorCommands{
    CliCommand{.name = "doctor",
               .synopsis = "",
               .summary = "what on this machine stands in podlane's way, and how to mend it",
               .details = "Looks at the CPU, the kernel, access, hugepages, NICs, CPUs, the clock, "
                          "other dataplanes and, where podlaned answers, at its health, losses, "
                          "flow table and MTUs; before podlaned is installed as well. Exit code 0: "
                          "well; 3: with warnings; 1: podlaned does not work like this.",
               .examples = "  podlanectl doctor\n"
                           "  podlanectl doctor -o json | jq '.[] | select(.severity == \"warn\")'",
               .options = kDoctorOptions,
               .run = run_doctor},
};

}  // namespace

std::span<const CliCommand> doctor_commands() noexcept {
    return kDoctorCommands;
}

}  // namespace podlane::control
