// The rows of `stats`, `drops` and `top`.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <ostream>

#include "control/cli/commands.h"
#include "control/cli/report.h"
#include "control/cli/run.h"
#include "control/cli/top.h"
#include "control/cli/yaml.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kStatsOptions = std::to_array<OptionRow>({
    {"watch", 'w', OptionType::kFlag, "", "show again each second, with rates"},
    {"count", 0, OptionType::kNumber, "N", "with --watch: end after N times"},
});

constexpr auto kTopOptions = std::to_array<OptionRow>({
    {"count", 0, OptionType::kNumber, "N", "end after N looks, one a second"},
    {"sort", 0, OptionType::kWord, "ORDER", "ports by packets (default), bytes or drops",
     "packets bytes drops"},
    {"filter", 0, OptionType::kText, "TEXT", "only rows that have it"},
});

// Redraws in place: wipes what the last turn left on each line and below.
std::string redrawn(const std::string& text, size_t rows) {
    constexpr const char* kHome = "\x1b[H";
    constexpr const char* kWipeLine = "\x1b[K";
    constexpr const char* kWipeBelow = "\x1b[J";
    std::string out = kHome;
    size_t line = 0, begin = 0;
    for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        // The last line stays free for the cursor; more lines would scroll the first one away.
        if (rows > 2 && ++line >= rows - 1 && end + 1 < text.size()) {
            out += std::string("...") + kWipeLine + '\n';
            break;
        }
        out += text.substr(begin, end - begin) + kWipeLine + '\n';
    }
    return out + kWipeBelow;
}

int watch_stats(const Invocation& call, CliEnvironment& environment) {
    using Clock = std::chrono::steady_clock;
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    std::optional<StatsBefore> before;
    Clock::time_point at_before;
    const auto count = call.options.number("count");
    for (uint64_t turn = 0; !count || turn < *count; ++turn) {
        if (turn > 0) environment.pause();
        auto reply = client->call("stats");
        if (!reply) return fail(environment, reply.error());
        const auto now = Clock::now();
        if (before) before->seconds = std::chrono::duration<double>(now - at_before).count();
        if (call.format == OutputFormat::kJson) {
            environment.out << json_text(reply.value(), -1);
        } else if (call.format == OutputFormat::kYaml) {
            environment.out << "---\n" << to_yaml(reply.value());
        } else {
            const std::string text =
                stats_text(reply.value(), before, screen_of(call, environment));
            if (environment.is_terminal) {
                // The first turn clears the whole screen.
                if (turn == 0) environment.out << "\x1b[2J";
                environment.out << redrawn(text, environment.screen.rows);
            } else {
                environment.out << (turn > 0 ? "\n" : "") << text;
            }
        }
        if (const int code = finish(environment); code != exit_code::kDone) return code;
        before = StatsBefore{std::move(reply).value(), 1};
        at_before = now;
    }
    return exit_code::kDone;
}

int run_stats(const Invocation& call, CliEnvironment& environment) {
    if (call.has("watch")) return watch_stats(call, environment);
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    const auto reply = client->call("stats");
    if (!reply) return fail(environment, reply.error());
    const bool is_text = call.format == OutputFormat::kTable || call.format == OutputFormat::kWide;
    environment.out << (is_text
                            ? stats_text(reply.value(), std::nullopt, screen_of(call, environment))
                            : data_text(call.format, reply.value()));
    return finish(environment);
}

std::string show_drops(const Invocation&, const Json& reply, const Screen& screen) {
    return drops_text(reply, screen);
}

std::string top_fault(Invocation& call) {
    if (!call.words.empty()) {
        const size_t slash = call.words.back().find('/');
        const bool is_name = call.words.size() > 1 || slash != std::string::npos;
        return fmt::format("top has pods, nodes and Services on one screen: podlanectl top{}",
                           is_name ? " --filter " + call.words.back().substr(slash + 1) : "");
    }
    const bool is_data = call.format == OutputFormat::kJson || call.format == OutputFormat::kYaml;
    return is_data ? "top draws a screen; its numbers as data: stats -o json" : std::string();
}

constexpr std::array kCounterCommands{
    CliCommand{.name = "stats",
               .synopsis = "[--watch]",
               .summary = "counters by port, worker and Service",
               .details =
                   "Services without connections are counted, not listed; -o wide lists all. "
                   "With --watch a terminal is redrawn in place.",
               .examples = "  podlanectl stats --watch\n"
                           "  podlanectl stats -o json | jq .flows.active",
               .options = kStatsOptions,
               .method = "stats",
               .run = run_stats},
    CliCommand{.name = "drops",
               .synopsis = "",
               .summary = "lost packets by reason, with help",
               .details = "Shows the reasons that have occurred; -o wide shows all.",
               .examples = "  podlanectl drops",
               .method = "drops",
               .render = show_drops},
    CliCommand{
        .name = "top",
        .synopsis = "",
        .summary = "rates of ports, nodes, Services, drops and workers, and who holds and opens "
                   "most flows",
        .details =
            "Redrawn once a second. Keys: q quits; p, b and d sort ports and nodes by "
            "packets, bytes and drops; / filters rows. Connections are counted 5000 a second, "
            "one pass over the flow table after the other; who opens them, and "
            "the traffic of other nodes, is counted by podlaned while top runs.",
        .examples = "  podlanectl top --sort drops\n"
                    "  podlanectl top --count 1 | head -20",
        .options = kTopOptions,
        .most_words = 2,
        .word_kind = WordKind::kText,
        .method = "stats",
        .check = top_fault,
        .run = run_top},
};

}  // namespace

std::span<const CliCommand> counter_commands() noexcept {
    return kCounterCommands;
}

}  // namespace podlane::control
