#include "control/cli/run.h"

#include <istream>
#include <ostream>
#include <utility>

#include "control/cli/command_line.h"
#include "control/cli/yaml.h"
#include "lib/base/printable.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

Json value_of(const OptionRow& row, const OptionValues& options) {
    switch (row.type) {
        case OptionType::kFlag:
            return true;
        case OptionType::kRepeated:
        case OptionType::kTexts:
            return options.texts(row.name);
        case OptionType::kNumber:
        case OptionType::kPort:
            return options.number(row.name).value_or(0);
        case OptionType::kText:
        case OptionType::kWord:
            break;
    }
    return options.text(row.name);
}

Result<Json> params_of(const Invocation& call, CliEnvironment& environment) {
    Json params;
    const CliCommand& command = *call.command;
    if (!command.word_param.empty() && !call.words.empty()) {
        params[std::string(command.word_param)] = call.words.front();
    }
    for (const OptionRow& row : command.options) {
        if (row.param.empty() || !call.has(row.name)) continue;
        params[std::string(row.param)] = value_of(row, call.options);
    }
    if (command.add_params != nullptr) {
        if (auto added = command.add_params(call, environment, params); !added) {
            return added.error();
        }
    }
    return params;
}

int run_call(const Invocation& call, CliEnvironment& environment) {
    const CliCommand& command = *call.command;
    const Result<Json> params = params_of(call, environment);
    if (!params) return fail(environment, params.error());
    Result<RpcClient> client = connect(call);
    if (!client) return fail(environment, client.error());
    auto reply = client->call(command.method, params.value());
    if (!reply) return fail(environment, reply.error());
    show_notices(reply.value(), environment);
    const int code =
        command.exit_code == nullptr ? exit_code::kDone : command.exit_code(reply.value());
    if (call.format == OutputFormat::kTable || call.format == OutputFormat::kWide) {
        environment.out << command.render(call, reply.value(), screen_of(call, environment));
    } else {
        Json data = command.data == nullptr ? std::move(reply).value()
                                            : command.data(std::move(reply).value());
        environment.out << data_text(call.format, data);
    }
    const int written = finish(environment);
    return written == exit_code::kDone ? code : written;
}

}  // namespace

Result<RpcClient> connect(const Invocation& call) {
    return connect(call, call.socket);
}

Result<RpcClient> connect(const Invocation& call, const std::string& socket) {
    RpcClientOptions options;
    options.connect_timeout = std::min(options.connect_timeout, call.timeout);
    options.call_timeout = call.timeout;
    return RpcClient::connect(socket, options);
}

int fail(CliEnvironment& environment, const Error& error) {
    environment.err << "error: " << printable(error.message) << '\n';
    return exit_code::kFailed;
}

int finish(CliEnvironment& environment) {
    environment.out.flush();
    return environment.out ? exit_code::kDone
                           : fail(environment, Error{"the output cannot be written"});
}

void show_notices(const Json& reply, CliEnvironment& environment) {
    if (!reply.is_object()) return;
    for (const Json& notice : reply.value("notices", Json::array())) {
        if (notice.is_string()) {
            environment.err << "notice: " << printable(notice.get_ref<const std::string&>())
                            << '\n';
        }
    }
}

std::string json_text(const Json& value, int indent) {
    return printable_json(value.dump(indent, ' ', false, Json::error_handler_t::replace)) + '\n';
}

std::string data_text(OutputFormat format, const Json& value) {
    return format == OutputFormat::kYaml ? to_yaml(value) : json_text(value);
}

Screen screen_of(const Invocation& call, const CliEnvironment& environment) {
    Screen screen = environment.screen;
    screen.wide = call.format == OutputFormat::kWide;
    screen.headings = !call.has("no-headers");
    return screen;
}

int run_podlanectl(std::span<const std::string> arguments, CliEnvironment& environment) {
    auto parsed = parse_command_line(arguments, environment.default_socket);
    if (const auto* help = std::get_if<CliHelp>(&parsed)) {
        environment.out << help->text;
        return finish(environment);
    }
    if (const auto* mistake = std::get_if<CliMistake>(&parsed)) {
        environment.err << "error: " << printable(mistake->message) << "; " << mistake->hint
                        << '\n';
        return exit_code::kWrongUsage;
    }
    try {
        const Invocation& call = std::get<Invocation>(parsed);
        return call.command->run == nullptr ? run_call(call, environment)
                                            : call.command->run(call, environment);
    } catch (const std::exception& error) {
        // JSON that does not match docs/rpc.md, or out of memory.
        return fail(environment, Error{error.what()});
    }
}

}  // namespace podlane::control
