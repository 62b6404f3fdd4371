#include "control/cli/ingress.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <utility>

#include "control/cli/ingress_folder.h"
#include "control/cli/program.h"
#include "control/cli/table.h"
#include "control/document/names.h"
#include "control/ingress/nginx.h"
#include "control/kube/parse.h"
#include "control/rpc/client.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

// After a restart podlaned gets its objects back one by one. For this many turns, an empty list of
// Ingresses is not trusted.
constexpr int kTurnsWithoutIngresses = 30;

/// Makes nginx reload. The pid file may be stale, and SIGHUP would end another process that has the
/// number now.
Result<void> signal_nginx(const std::string& pid_file, const std::string& program) {
    pid_t pid = 0;
    std::ifstream file(pid_file);
    if (!file || !(file >> pid) || pid <= 1) {
        return Error{fmt::format("{}: contains no process id; nginx was not reloaded", pid_file)};
    }
    std::string name;
    std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
    // The kernel keeps only 15 bytes of the name.
    const std::string nginx = std::filesystem::path(program).filename().string().substr(0, 15);
    if (name != nginx) {
        return Error{fmt::format("{}: process {} {}; nginx was not reloaded", pid_file, pid,
                                 name.empty() ? "is gone" : "is " + name + ", not " + nginx)};
    }
    if (::kill(pid, SIGHUP) != 0) {
        return Error{fmt::format("{}: process {}: {}", pid_file, pid, std::strerror(errno))};
    }
    return {};
}

Result<void> run_command(const std::string& command) {
    auto end = run_program({"/bin/sh", "-c", command});
    if (!end.ok()) return end.error();
    if (end->code == 0) return {};
    const std::string first = end->output.substr(0, end->output.find('\n'));
    return Error{
        fmt::format("{}: exit {}{}{}", command, end->code, first.empty() ? "" : ": ", first)};
}

/// One run of the command; each turn asks podlaned once.
class IngressConfig {
  public:
    IngressConfig(const Invocation& call, CliEnvironment& environment)
        : call_(call), environment_(environment) {
        nginx_.folder = std::filesystem::absolute(call.text("out")).lexically_normal();
        while (nginx_.folder.size() > 1 && nginx_.folder.ends_with('/')) nginx_.folder.pop_back();
        nginx_.class_name = ingress_class(call);
        nginx_.access_log = call.has("access-log") ? call.text("access-log") : "off";
        nginx_.http_port = static_cast<uint16_t>(call.options.number("http-port").value_or(80));
        nginx_.https_port = static_cast<uint16_t>(call.options.number("https-port").value_or(443));
        nginx_.ipv6 = ::access("/proc/net/if_inet6", F_OK) == 0;
    }

    [[nodiscard]] Result<void> check() const {
        for (const std::string& path : {nginx_.folder, nginx_.access_log}) {
            if (is_plain_file_name(path)) continue;
            return Error{
                fmt::format("{}: only letters, digits and /-._ are allowed in a path that "
                            "nginx is told",
                            path)};
        }
        if (is_dns_subdomain(nginx_.class_name)) return {};
        return Error{fmt::format("--class: {} is not an IngressClass's name", nginx_.class_name)};
    }

    [[nodiscard]] Result<void> turn() {
        if (!client_) {
            auto made = connect(call_);
            if (!made.ok()) return made.error();
            client_.emplace(std::move(made).value());
            generation_.reset();
            has_returned_ = false;
            turns_without_ = 0;
        }
        Json params{{"keys", true}};
        if (generation_) params["since"] = *generation_;
        auto reply = client_->call("ingress.objects", params);
        if (!reply.ok()) {
            client_.reset();
            return reply.error();
        }
        if (reply->contains("items")) {
            auto taken = take(reply.value());
            if (!taken.ok()) return taken;
        }
        return reload();
    }

  private:
    [[nodiscard]] Result<void> take(const Json& reply) {
        const Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", reply.at("items")}};
        auto parsed = parse_objects(list.dump(), "podlaned");
        if (!parsed.ok()) return parsed.error();
        const IngressPlan plan = plan_ingresses(parsed->objects, nginx_.class_name);
        if (!plan.ingresses.empty()) has_returned_ = true;
        if (had_ingresses_ && !has_returned_ && ++turns_without_ <= kTurnsWithoutIngresses) {
            return {};
        }
        show_warnings(plan.warnings);
        auto changed = write_ingress_folder(nginx_.folder, nginx_config(plan, nginx_),
                                            plan.key_pairs, nginx_test(nginx_program()));
        if (!changed.ok()) return changed.error();
        generation_ = reply.at("generation").get<uint64_t>();
        had_ingresses_ = !plan.ingresses.empty();
        if (changed.value() || is_first_) {
            environment_.out << fmt::format("{}/nginx.conf {}: {} Ingresses, {} hosts\n",
                                            nginx_.folder,
                                            changed.value() ? "written" : "is as it was",
                                            plan.ingresses.size(), plan.hosts.size() - 1);
            environment_.out.flush();
        }
        is_first_ = false;
        reload_is_due_ |= changed.value();
        return {};
    }

    [[nodiscard]] Result<void> reload() {
        if (!reload_is_due_) return {};
        Result<void> done;
        if (call_.has("reload-pid")) {
            done = signal_nginx(call_.text("reload-pid"), nginx_program());
        } else if (call_.has("reload-command")) {
            done = run_command(call_.text("reload-command"));
        }
        reload_is_due_ = !done.ok();
        return done;
    }

    [[nodiscard]] std::string nginx_program() const {
        return call_.has("nginx") ? call_.text("nginx") : "nginx";
    }

    void show_warnings(const std::vector<std::string>& warnings) {
        if (warnings == shown_warnings_) return;
        for (const std::string& warning : warnings) {
            environment_.err << "warning: " << printable(warning) << '\n';
        }
        shown_warnings_ = warnings;
    }

    const Invocation& call_;
    CliEnvironment& environment_;
    NginxOptions nginx_;
    std::optional<RpcClient> client_;
    std::optional<uint64_t> generation_;  // of the connection's podlaned; none: ask again
    bool has_returned_ = false;           // this connection has shown an Ingress
    int turns_without_ = 0;
    bool is_first_ = true;
    bool had_ingresses_ = false;
    bool reload_is_due_ = false;
    std::vector<std::string> shown_warnings_;
};

}  // namespace

std::string ingress_class(const Invocation& call) {
    return call.has("class") ? call.text("class") : "podlane";
}

int run_ingress_config(const Invocation& call, CliEnvironment& environment) {
    IngressConfig config(call, environment);
    const auto tell = [&](const Error& error) {
        environment.err << "error: " << printable(error.message) << std::endl;
        return 1;
    };
    if (const auto checked = config.check(); !checked.ok()) return tell(checked.error());
    if (!call.has("watch")) {
        const auto done = config.turn();
        return done.ok() ? 0 : tell(done.error());
    }
    std::string told;
    const auto count = call.options.number("count");
    for (uint64_t turn = 0; !count || turn < *count; ++turn) {
        if (turn > 0) environment.pause();
        const auto done = config.turn();
        const std::string wrong = done.ok() ? "" : done.error().message;
        if (!wrong.empty() && wrong != told) tell(done.error());
        told = wrong;
    }
    return 0;
}

}  // namespace podlane::control
