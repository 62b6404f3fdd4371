// The row of `events`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/moment.h"
#include "control/cli/run.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kUsualLimit = 200;

constexpr auto kEventsOptions = std::to_array<OptionRow>({
    {"since", 0, OptionType::kText, "TIME",
     "only later ones: 90s, 5m, 2h, a time of day such as 14:02, or '2026-11-29 14:02'"},
    {"until", 0, OptionType::kText, "TIME",
     "only those before it; a time without seconds is the whole minute"},
    {"follow", 'f', OptionType::kFlag, "", "go on with what happens"},
    {"kind", 0, OptionType::kText, "KIND[,KIND...]",
     "of objects as for get, or ports, neighbors, addresses, links, workers, refusals, snat, "
     "feeders, podlaned"},
    {"name", 0, OptionType::kText, "NAME",
     "what has this name, or is about it: a Service's endpoints; NAMESPACE/ is all of one"},
    {"by", 0, OptionType::kText, "OWNER", "what this owner of objects or this program did"},
    {"limit", 'n', OptionType::kNumber, "N", "the newest N (200 unless given; 0: 10000)"},
    {"no-headers", 0, OptionType::kFlag, "", "no headings"},
});

std::string moment_fault(const Invocation& call, std::string_view option) {
    if (!call.has(option) || parse_moment(call.text(option), wall_clock_ms())) return {};
    return fmt::format("--{}: {} is neither 90s, 5m, 2h, 1d nor a time such as 14:02", option,
                       in_quotes(call.text(option)));
}

std::string events_fault(Invocation& call) {
    if (call.has("follow") && call.has("until")) return "--follow and --until exclude each other";
    if (std::string fault = moment_fault(call, "since"); !fault.empty()) return fault;
    if (std::string fault = moment_fault(call, "until"); !fault.empty()) return fault;
    if (!call.has("since") || !call.has("until")) return {};
    const uint64_t now = wall_clock_ms();
    const uint64_t since = *parse_moment(call.text("since"), now);
    if (*parse_end(call.text("until"), since, now) > since) return {};
    return fmt::format("--until: {} is not after --since {}", in_quotes(call.text("until")),
                       in_quotes(call.text("since")));
}

/// The parameters of the first request.
Json params_of(const Invocation& call) {
    Json params{{"limit", call.options.number("limit").value_or(kUsualLimit)}};
    const uint64_t now = wall_clock_ms();
    const uint64_t since = call.has("since") ? *parse_moment(call.text("since"), now) : 0;
    if (since != 0) params["sinceMs"] = since;
    if (call.has("until")) params["untilMs"] = *parse_end(call.text("until"), since, now);
    for (const char* key : {"name", "by"}) {
        if (call.has(key)) params[key] = call.text(key);
    }
    if (!call.has("kind")) return params;
    Json kinds = Json::array();
    std::string words = call.text("kind");
    std::ranges::replace(words, ',', ' ');
    for (const std::string_view word : words_of(words)) kinds.push_back(word);
    params["kinds"] = std::move(kinds);
    return params;
}

std::string time_cell(const Json& event) {
    const uint64_t now = wall_clock_ms();
    const auto ms = parse_moment(cell(event, "/time"), now);
    return ms ? moment_text(*ms, now) : cell(event, "/time");
}

std::string events_text(const Json& events, const Screen& screen) {
    Table table({{"TIME"}, {"GENERATION", true}, {"BY"}, {"KIND"}, {"NAME"}, {"WHAT"}});
    for (const Json& event : events) {
        table.add({time_cell(event), cell(event, "/generation"), cell(event, "/by"),
                   cell(event, "/kind"), event.value("name", ""), cell(event, "/text")});
    }
    return table.text(screen);
}

/// Remarks about the list, on stderr.
void show_remarks(const Invocation& call, const Json& reply, CliEnvironment& environment) {
    const uint64_t now = wall_clock_ms();
    if (const auto kept = parse_moment(reply.value("keptFrom", ""), now)) {
        const auto since = parse_moment(call.text("since"), now);
        if (!since || *since < *kept) {
            environment.err << "notice: what was before " << moment_text(*kept, now)
                            << " is not kept any more\n";
        }
    }
    if (const auto left = reply.value("leftOut", uint64_t{0}); left != 0) {
        environment.err << "notice: " << left << " older ones left out; --limit N for more\n";
    }
    if (reply.value("torn", false)) {
        environment.err << "notice: some were lost, or podlaned has been restarted\n";
    }
}

/// Prints events as they come: one JSON array for one-shot output, one line per event when
/// following.
void show(const Invocation& call, const Json& events, Screen& screen, CliEnvironment& environment) {
    if (call.format == OutputFormat::kTable || call.format == OutputFormat::kWide) {
        if (events.empty()) return;
        environment.out << events_text(events, screen);
        screen.headings = false;
    } else if (!call.has("follow")) {
        environment.out << data_text(call.format, events);
    } else {
        for (const Json& event : events) {
            environment.out << (call.format == OutputFormat::kYaml ? "---\n" : "")
                            << (call.format == OutputFormat::kYaml ? data_text(call.format, event)
                                                                   : json_text(event, -1));
        }
    }
}

int run_events(const Invocation& call, CliEnvironment& environment) {
    constexpr int64_t kMostWaitSeconds = 30;
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    const int64_t patience = std::chrono::duration_cast<std::chrono::seconds>(call.timeout).count();
    Json params = params_of(call);
    Screen screen = screen_of(call, environment);
    while (true) {
        const auto reply = client->call("events", params);
        if (!reply) return fail(environment, reply.error());
        show_remarks(call, *reply, environment);
        const Json& events = at(*reply, "/events");
        show(call, events, screen, environment);
        if (const int code = finish(environment); code != exit_code::kDone) return code;
        if (!call.has("follow")) {
            if (events.empty()) environment.err << "no events\n";
            return exit_code::kDone;
        }
        params.erase("sinceMs");
        params["limit"] = 0;
        params["after"] = at(*reply, "/cursor");
        params["waitSeconds"] = std::clamp<int64_t>(patience - 2, 1, kMostWaitSeconds);
    }
}

constexpr std::array kEventCommands{
    CliCommand{.name = "events",
               .synopsis = "[--since TIME]",
               .summary = "what changed on this node, when and by whom",
               .details = "Generation by generation: objects with their owner and what of them "
                          "changed, endpoints that came and went, pods' ports, neighbours, links, "
                          "load balancer addresses, changes and objects that were refused. What "
                          "happened since podlaned started, as far as 65536 entries and 24 MiB "
                          "reach.",
               .examples = "  podlanectl events --since 14:02 --until 14:03\n"
                           "  podlanectl events --since 5m --name shop/web\n"
                           "  podlanectl events --kind refusals,links -f",
               .options = kEventsOptions,
               .method = "events",
               .check = events_fault,
               .run = run_events},
};

}  // namespace

std::span<const CliCommand> event_commands() noexcept {
    return kEventCommands;
}

}  // namespace podlane::control
