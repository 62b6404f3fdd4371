// The row of `events`.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <ctime>
#include <ostream>

#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/report.h"
#include "control/cli/run.h"
#include "control/cli/since.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kEventsOptions = std::to_array<OptionRow>({
    {"since", 0, OptionType::kText, "TIME",
     "only later ones: 90s, 5m, 2h, or a time of day such as 14:02 or 14:02:30"},
    {"limit", 'n', OptionType::kNumber, "N", "the newest N (default 200; 0: all)"},
    {"watch", 'w', OptionType::kFlag, "", "go on with what happens"},
    {"count", 0, OptionType::kNumber, "N", "with --watch: end after N looks, one a second"},
    {"no-headers", 0, OptionType::kFlag, "", "no headings"},
});

constexpr uint64_t kUsualLimit = 200;

uint64_t now_ms() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

std::string since_fault(Invocation& call) {
    if (!call.has("since") || parse_since(call.text("since"), now_ms())) return {};
    return fmt::format("--since: \"{}\" is neither 90s, 5m, 2h nor a time such as 14:02",
                       call.text("since"));
}

std::string local_time(uint64_t ms) {
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return fmt::format("{:%m-%d %H:%M:%S}.{:03}", local, ms % 1000);
}

std::string events_text(const Json& reply, const Screen& screen) {
    Table table({{"TIME"}, {"GENERATION", true}, {"WHAT"}, {"BY"}, {"EVENT"}});
    for (const Json& event : at(reply, "/events")) {
        table.add({local_time(static_cast<uint64_t>(number_at(event, "/timeMs"))),
                   cell(event, "/generation"), cell(event, "/what"), cell(event, "/by"),
                   cell(event, "/text")});
    }
    return table.text(screen);
}

int run_events(const Invocation& call, CliEnvironment& environment) {
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    Json params{{"limit", call.options.number("limit").value_or(kUsualLimit)}};
    if (call.has("since")) params["sinceMs"] = *parse_since(call.text("since"), now_ms());
    Screen screen = screen_of(call, environment);
    const auto count = call.options.number("count");
    for (uint64_t turn = 0; !count || turn < *count; ++turn) {
        if (turn > 0) environment.pause();
        const auto reply = client->call("events", params);
        if (!reply) return fail(environment, reply.error());
        const Json& events = at(*reply, "/events");
        if (call.format == OutputFormat::kTable || call.format == OutputFormat::kWide) {
            if (!events.empty()) environment.out << events_text(*reply, screen);
            if (!events.empty()) screen.headings = false;
        } else if (!call.has("watch")) {
            environment.out << data_text(call.format, events);
        } else {
            for (const Json& event : events) environment.out << json_text(event, -1);
        }
        if (const int code = finish(environment); code != exit_code::kDone) return code;
        if (!call.has("watch")) {
            if (events.empty()) environment.err << "no events\n";
            return exit_code::kDone;
        }
        params = Json{{"after", at(*reply, "/last")}, {"limit", 0}};
    }
    return exit_code::kDone;
}

constexpr std::array kCommands{
    CliCommand{.name = "events",
               .synopsis = "[--since TIME]",
               .summary = "what changed on this node, when and by whom",
               .details = "Generation by generation: objects with their owner, endpoints that came "
                          "and went, changes that were refused, pods, neighbours, links. The last "
                          "4096 since podlaned started.",
               .examples = "  podlanectl events --since 14:02\n"
                           "  podlanectl events --since 5m -w",
               .options = kEventsOptions,
               .method = "events",
               .check = since_fault,
               .run = run_events},
};

}  // namespace

std::span<const CliCommand> event_commands() noexcept {
    return kCommands;
}

}  // namespace podlane::control
