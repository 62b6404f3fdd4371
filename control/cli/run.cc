#include "control/cli/run.h"

#include <fmt/format.h>

#include <chrono>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "control/cli/documents.h"
#include "control/cli/ingress.h"
#include "control/cli/ingress_status.h"
#include "control/cli/kinds.h"
#include "control/cli/listing.h"
#include "control/cli/options.h"
#include "control/cli/report.h"
#include "control/cli/table.h"
#include "control/cli/yaml.h"
#include "control/rpc/client.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

int fail(CliEnvironment& environment, const Error& error) {
    environment.err << "error: " << printable(error.message) << '\n';
    return kFailed;
}

const char* method_of(CliCommand command) {
    switch (command) {
        case CliCommand::kApply:
            return "apply";
        case CliCommand::kDelete:
            return "delete";
        case CliCommand::kReplace:
            return "replace";
        case CliCommand::kValidate:
            return "validate";
        case CliCommand::kDiff:
            return "diff";
        case CliCommand::kGet:
            return "get";
        case CliCommand::kPodAdd:
            return "pod.add";
        case CliCommand::kPodDel:
            return "pod.del";
        case CliCommand::kStats:
            return "stats";
        case CliCommand::kDrops:
            return "drops";
        case CliCommand::kExplain:
            return "explain";
        case CliCommand::kIngressConfig:
        case CliCommand::kIngressStatus:
            return "ingress.objects";
        case CliCommand::kResolve:
            return "resolve";
        case CliCommand::kHealth:
            return "health";
        case CliCommand::kVersion:
            return "version";
    }
    return "";
}

Result<Json> params_of(const CliOptions& options, std::istream& in) {
    Json params;
    const auto set = [&params](const char* key, const std::string& text) {
        if (!text.empty()) params[key] = text;
    };
    if (!options.files.empty()) {
        auto documents = read_documents(options.files, in);
        if (!documents) return documents.error();
        Json& files = params["files"] = Json::array();
        for (Document& document : documents.value()) {
            Json file{{"name", std::move(document.name)}};
            file["text"] = std::move(document.text);
            files.push_back(std::move(file));
        }
    }
    const bool is_pod =
        options.command == CliCommand::kPodAdd || options.command == CliCommand::kPodDel;
    set("kind", options.kind);
    set(is_pod ? "pod" : "name", options.name);
    set("netns", options.netns);
    if (!options.addresses.empty()) params["addresses"] = options.addresses;
    set("ifname", options.ifname);
    set("from", options.from);
    set("to", options.to);
    set("protocol", options.protocol);
    set("type", options.type);
    if (options.source_port) params["sourcePort"] = *options.source_port;
    if (options.limit) params["limit"] = *options.limit;
    return params;
}

// What -o json and yaml show: the reply, but lists without their envelope. Objects come as
// kubectl's List, so that they can be applied again.
Json data_of(const CliOptions& options, Json reply) {
    if (options.command == CliCommand::kPodAdd && reply.contains("port")) return reply["port"];
    if (options.command != CliCommand::kGet || !reply.contains("items")) return reply;
    const CliKind* kind = find_kind(options.kind);
    Json& items = reply["items"];
    if (kind == nullptr || !kind->is_object) return std::move(items);
    const bool is_one = !options.name.empty() && !options.name.ends_with('/') && items.size() == 1;
    if (is_one) return std::move(items[0]);
    return Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}};
}

std::string table_of(const CliOptions& options, const Json& reply) {
    const bool is_wide = options.format == OutputFormat::kWide;
    switch (options.command) {
        case CliCommand::kApply:
        case CliCommand::kDelete:
        case CliCommand::kReplace:
        case CliCommand::kValidate:
        case CliCommand::kDiff:
            return change_text(options.command, reply);
        case CliCommand::kGet:
            return list_text(options.kind, reply.value("items", Json()), is_wide);
        case CliCommand::kPodAdd:
            return pod_add_text(reply);
        case CliCommand::kPodDel:
            return fmt::format("port {} {}\n", options.name,
                               reply.value("removed", true) ? "removed" : "was not there");
        case CliCommand::kStats:
            return stats_text(reply, std::nullopt);
        case CliCommand::kDrops:
            return drops_text(reply, is_wide);
        case CliCommand::kExplain:
            return explain_text(reply);
        case CliCommand::kIngressConfig:  // ingress.h writes files instead
        case CliCommand::kIngressStatus:  // ingress_status.h prints objects
            break;
        case CliCommand::kResolve:
            return resolve_text(reply);
        case CliCommand::kHealth:
            return health_text(reply);
        case CliCommand::kVersion:
            return fmt::format("podlaned {} ({})\n", reply.value("version", "?"),
                               reply.value("dpdk", "?"));
    }
    return {};
}

std::string json_text(const Json& value, int indent) {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string text_of(const CliOptions& options, Json reply) {
    switch (options.format) {
        case OutputFormat::kTable:
        case OutputFormat::kWide:
            return table_of(options, reply);
        case OutputFormat::kJson:
            return json_text(data_of(options, std::move(reply)), 2);
        case OutputFormat::kYaml:
            return to_yaml(data_of(options, std::move(reply)));
    }
    return {};
}

// What concerns the user beside the result goes to stderr, so that stdout can be piped.
void show_remarks(const CliOptions& options, const Json& reply, std::ostream& err) {
    if (!reply.is_object()) return;
    for (const Json& notice : reply.value("notices", Json::array())) {
        if (notice.is_string()) {
            err << "notice: " << printable(notice.get_ref<const std::string&>()) << '\n';
        }
    }
    if (options.command == CliCommand::kGet && reply.contains("total")) {
        err << "notice: " << reply["items"].size() << " of " << reply["total"]
            << " shown; --limit N for more\n";
    }
}

int finish(CliEnvironment& environment) {
    environment.out.flush();
    return environment.out ? kDone : fail(environment, Error{"the output cannot be written"});
}

int watch_stats(const CliOptions& options, RpcClient& client, CliEnvironment& environment) {
    using Clock = std::chrono::steady_clock;
    std::optional<StatsBefore> before;
    Clock::time_point at_before;
    for (uint64_t turn = 0; !options.count || turn < *options.count; ++turn) {
        if (turn > 0) environment.pause();
        auto reply = client.call("stats");
        if (!reply) return fail(environment, reply.error());
        const auto now = Clock::now();
        if (before) before->seconds = std::chrono::duration<double>(now - at_before).count();
        std::string text;
        if (options.format == OutputFormat::kJson) {
            text = json_text(reply.value(), -1);
        } else if (options.format == OutputFormat::kYaml) {
            text = "---\n" + to_yaml(reply.value());
        } else {
            constexpr const char* kHomeAndClear = "\x1b[H\x1b[2J";
            const char* lead = environment.is_terminal ? kHomeAndClear : (turn > 0 ? "\n" : "");
            text = lead + stats_text(reply.value(), before);
        }
        environment.out << text;
        if (const int code = finish(environment); code != kDone) return code;
        before = StatsBefore{std::move(reply).value(), 1};
        at_before = now;
    }
    return kDone;
}

// The client's version is known without podlaned, and shown also when that does not answer.
int show_version(const CliOptions& options, Result<RpcClient> client, CliEnvironment& environment) {
    Result<Json> reply = client ? client->call("version") : Result<Json>(client.error());
    Json both{{"client", PODLANE_VERSION}};
    if (reply) both["server"] = reply.value();
    if (options.format == OutputFormat::kJson) {
        environment.out << json_text(both, 2);
    } else if (options.format == OutputFormat::kYaml) {
        environment.out << to_yaml(both);
    } else {
        environment.out << "podlanectl " << PODLANE_VERSION << '\n';
        if (reply) environment.out << table_of(options, reply.value());
    }
    const int code = finish(environment);
    return reply ? code : fail(environment, reply.error());
}

int run_command(const CliOptions& options, CliEnvironment& environment) {
    if (options.command == CliCommand::kIngressConfig) {
        return run_ingress_config(options, environment);
    }
    if (options.command == CliCommand::kIngressStatus) {
        return run_ingress_status(options, environment);
    }
    const Result<Json> params = params_of(options, environment.in);
    if (!params) return fail(environment, params.error());
    Result<RpcClient> client = RpcClient::connect(options.socket);
    if (options.command == CliCommand::kVersion) {
        return show_version(options, std::move(client), environment);
    }
    if (!client) return fail(environment, client.error());
    if (options.watch) return watch_stats(options, client.value(), environment);
    auto reply = client->call(method_of(options.command), params.value());
    if (!reply) return fail(environment, reply.error());
    show_remarks(options, reply.value(), environment.err);
    environment.out << text_of(options, std::move(reply).value());
    return finish(environment);
}

}  // namespace

int run_podlanectl(std::span<const std::string> arguments, CliEnvironment& environment) {
    const auto parsed = parse_command_line(arguments, environment.default_socket);
    if (const auto* help = std::get_if<CliHelp>(&parsed)) {
        environment.out << help->text;
        return finish(environment);
    }
    if (const auto* mistake = std::get_if<CliMistake>(&parsed)) {
        environment.err << "error: " << printable(mistake->message) << '\n'
                        << mistake->hint << '\n';
        return kWrongUsage;
    }
    try {
        return run_command(std::get<CliOptions>(parsed), environment);
    } catch (const std::exception& error) {
        // JSON of another shape than docs/rpc.md says, or no memory.
        return fail(environment, Error{error.what()});
    }
}

}  // namespace podlane::control
