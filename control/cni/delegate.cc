#include "control/cni/delegate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "control/cni/failure.h"
#include "control/netdev/unique_fd.h"

namespace podlane::cni {
namespace {

using control::UniqueFd;
using Clock = std::chrono::steady_clock;

// An IPAM plugin may wait for the network: DHCP takes ten seconds or so.
constexpr auto kLimit = std::chrono::seconds(60);

[[noreturn]] void cannot_run(const std::string& path) {
    throw Failure(code::kInputOutput, "the IPAM plugin cannot be run",
                  fmt::format("{}: {}", path, std::strerror(errno)));
}

std::pair<UniqueFd, UniqueFd> make_pipe(const std::string& path) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) cannot_run(path);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Writes and reads until the program closes its output; false on a timeout.
bool converse(UniqueFd& in, const UniqueFd& out, std::string_view input, std::string& output,
              Clock::time_point until) {
    std::array<char, 4096> part;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        if (left.count() <= 0) return false;
        if (input.empty()) in.reset();
        std::array<pollfd, 2> watched = {pollfd{out.get(), POLLIN, 0},
                                         pollfd{in.get(), POLLOUT, 0}};
        if (::poll(watched.data(), watched.size(), static_cast<int>(left.count())) <= 0) continue;
        if (watched[1].revents != 0) {
            const ssize_t wrote = ::write(in.get(), input.data(), input.size());
            if (wrote > 0) input.remove_prefix(static_cast<size_t>(wrote));
            if (wrote < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it reads no more
        }
        if (watched[0].revents != 0) {
            const ssize_t got = ::read(out.get(), part.data(), part.size());
            if (got == 0) return true;
            if (got > 0) output.append(part.data(), static_cast<size_t>(got));
        }
    }
}

std::string find_plugin(const std::string& type, const std::string& folders) {
    for (size_t at = 0; at < folders.size();) {
        const size_t end = std::min(folders.find(':', at), folders.size());
        std::string path = folders.substr(at, end - at) + '/' + type;
        if (end > at && ::access(path.c_str(), X_OK) == 0) return path;
        at = end + 1;
    }
    throw Failure(code::kBadConfig, fmt::format("there is no IPAM plugin {}", type),
                  fmt::format("looked for in CNI_PATH={}", folders));
}

}  // namespace

std::pair<int, std::string> run_program(const std::string& path, const Environment& environment,
                                        const std::string& input, std::chrono::milliseconds limit) {
    std::vector<std::string> pairs;
    for (const auto& [name, value] : environment) pairs.push_back(name + '=' + value);
    std::vector<char*> words;
    for (std::string& pair : pairs) words.push_back(pair.data());
    words.push_back(nullptr);
    auto [in_there, in_here] = make_pipe(path);
    auto [out_here, out_there] = make_pipe(path);
    ::signal(SIGPIPE, SIG_IGN);
    const pid_t child = ::fork();
    if (child < 0) cannot_run(path);
    if (child == 0) {
        std::string name = path;
        std::array<char*, 2> arguments = {name.data(), nullptr};
        ::signal(SIGPIPE, SIG_DFL);
        if (::dup2(in_there.get(), 0) >= 0 && ::dup2(out_there.get(), 1) >= 0) {
            ::execve(path.c_str(), arguments.data(), words.data());
        }
        ::_exit(127);
    }
    in_there.reset();
    out_there.reset();
    ::fcntl(in_here.get(), F_SETFL, O_NONBLOCK);
    std::string output;
    const bool ended = converse(in_here, out_here, input, output, Clock::now() + limit);
    in_here.reset();
    if (!ended) ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) {
        throw Failure(code::kTryAgainLater, "the IPAM plugin takes too long",
                      fmt::format("{} did not end within {} s", path,
                                  std::chrono::duration_cast<std::chrono::seconds>(limit).count()));
    }
    return {status, output};
}

Delegate::Delegate(const Request& request, const Environment& environment)
    : request_(request),
      environment_(environment),
      path_(find_plugin(request.ipam, request.plugin_path)),
      config_(request.config) {}

Delegate::Ended Delegate::execute(const Environment& environment, const std::string& input) const {
    auto [status, output] = run_program(path_, environment, input, kLimit);
    return {status, std::move(output)};
}

std::string Delegate::common_version() const {
    Environment environment = environment_;
    environment["CNI_COMMAND"] = "VERSION";
    const Ended ended = execute(environment, Json({{"cniVersion", request_.version}}).dump());
    const Json answer = Json::parse(ended.output, nullptr, false);
    std::string best;
    if (!answer.is_object()) return best;
    for (const Json& each : answer.value("supportedVersions", Json::array())) {
        if (!each.is_string()) continue;
        const std::string version = each;
        if (is_at_least(request_.version, version) && is_at_least(version, best)) best = version;
    }
    return best;
}

Json Delegate::run(const std::string& command, const Attachment& attachment) {
    Environment environment = environment_;
    environment["CNI_COMMAND"] = command;
    if (!attachment.container.empty()) {
        environment["CNI_CONTAINERID"] = attachment.container;
        environment["CNI_IFNAME"] = attachment.ifname;
    }
    for (bool again = false;; again = true) {
        const Ended ended = execute(environment, config_.dump());
        Json answer =
            ended.output.empty() ? Json::object() : Json::parse(ended.output, nullptr, false);
        if (ended.status == 0 && answer.is_object()) return answer;
        const bool told =
            answer.is_object() && answer.contains("code") && answer["code"].is_number_integer();
        const int its_code = told ? answer["code"].get<int>() : int{code::kIpam};
        // The plugin may be older than the configuration. An IPAM plugin's result does not depend
        // on the version, so the plugin gets the newest one that it knows.
        if (its_code == code::kIncompatibleVersion && !again) {
            if (const std::string version = common_version(); is_at_least(version, "0.3.0")) {
                config_["cniVersion"] = version;
                continue;
            }
        }
        const auto text = [&](const char* key) {
            const bool there = told && answer.contains(key) && answer[key].is_string();
            return there ? answer[key].get<std::string>() : std::string();
        };
        std::string details = text("details");
        if (!told) {
            details =
                WIFSIGNALED(ended.status)
                    ? fmt::format("ended by signal {}", WTERMSIG(ended.status))
                    : fmt::format("exit code {}, and no error in JSON", WEXITSTATUS(ended.status));
        }
        throw Failure(its_code == 0 ? int{code::kIpam} : its_code,
                      fmt::format("IPAM plugin {} {}: {}", request_.ipam, command,
                                  told ? text("msg") : "failed"),
                      details);
    }
}

Json Delegate::add() {
    return run("ADD", request_.attachment);
}

void Delegate::del(const Attachment& attachment) {
    (void)run("DEL", attachment);
}

void Delegate::check() {
    (void)run("CHECK", request_.attachment);
}

void Delegate::run_of_newest(const std::string& command) {
    if (is_at_least(common_version(), "1.1.0")) (void)run(command, {});
}

void Delegate::gc() {
    run_of_newest("GC");
}

void Delegate::status() {
    run_of_newest("STATUS");
}

}  // namespace podlane::cni
