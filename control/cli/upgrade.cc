#include "control/cli/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ostream>
#include <string_view>

#include "control/cli/program.h"
#include "control/cli/run.h"
#include "lib/base/printable.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// Linux appends this to the name of a file that was deleted or replaced.
constexpr std::string_view kDeleted = " (deleted)";

/// Options for one upgrade, or for a one-time run, which the new process does not keep.
bool is_passing(const std::string& word) {
    return word == "--take-over" || word == "--background" || word == "--check" ||
           word == "--state";
}

/// Programs that this process starts then work in the running podlaned's network namespace.
Result<void> enter_network_of(int pid) {
    const std::string path = fmt::format("/proc/{}/ns/net", pid);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
    const bool done = ::setns(fd, CLONE_NEWNET) == 0;
    const int error = errno;
    ::close(fd);
    return done ? Result<void>{} : Error{fmt::format("{}: {}", path, std::strerror(error))};
}

/// True if the program succeeded.
bool run_step(const std::vector<std::string>& words, const std::string& folder,
              CliEnvironment& environment, std::string_view failed) {
    const auto end = run_program(words, folder);
    if (!end.ok()) {
        fail(environment, end.error());
        return false;
    }
    if (end->code == 0) return true;
    environment.err << end->output;
    fail(environment, Error{fmt::format("{}: {}", words.front(), failed)});
    return false;
}

}  // namespace

std::vector<std::string> upgrade_words(const Json& process, const std::string& binary,
                                       const std::vector<std::string>& added) {
    std::string program = binary.empty() ? process.value("binary", "") : binary;
    if (binary.empty() && program.ends_with(kDeleted)) {
        program.resize(program.size() - kDeleted.size());
    }
    std::vector<std::string> words{program};
    words.insert(words.end(), added.begin(), added.end());
    bool is_first = true;
    bool is_dpdks = false;  // after --
    for (const Json& each : process.value("arguments", Json::array())) {
        const auto word = each.get<std::string>();
        is_dpdks = is_dpdks || word == "--";
        if (!is_first && (is_dpdks || !is_passing(word))) words.push_back(word);
        is_first = false;
    }
    return words;
}

int run_upgrade(const Invocation& call, CliEnvironment& environment) {
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    const auto process = client->call("process");
    if (!process) return fail(environment, process.error());
    if (auto there = enter_network_of(process->value("pid", 0)); !there.ok()) {
        return fail(environment, there.error());
    }
    const std::string binary = call.text("binary");
    const std::string folder = process->value("folder", "/");
    const std::string unit = process->value("unit", "");
    if (!unit.empty() && !binary.empty()) {
        return fail(environment,
                    Error{fmt::format("podlaned is run by a service manager, as {}, which starts "
                                      "the program that is installed: install the new one, and "
                                      "leave --binary out",
                                      unit)});
    }
    const auto checks = upgrade_words(*process, binary, {"--check", "--state"});
    if (!run_step(checks, folder, environment, "its check fails; nothing was changed")) {
        return exit_code::kFailed;
    }
    const auto words = !unit.empty()
                           ? std::vector<std::string>{"systemctl", "reload", unit}
                           : upgrade_words(*process, binary, {"--take-over", "--background"});
    if (!run_step(words, folder, environment, "it did not take over; the running one goes on")) {
        return exit_code::kFailed;
    }
    auto next = connect(call);
    const auto now = next ? next->call("process") : Result<Json>(next.error());
    if (!now) return fail(environment, now.error());
    if (now->value("pid", 0) == process->value("pid", 0)) {
        return fail(environment, Error{"the podlaned that ran still does"});
    }
    environment.out << printable(fmt::format("podlaned {} has taken over from {}",
                                             now->value("version", "?"),
                                             process->value("version", "?")))
                    << '\n';
    return finish(environment);
}

}  // namespace podlane::control
