#include "control/cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "control/cli/cell.h"
#include "control/cli/table.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

std::string change_name(const Json& object) {
    const Json& name_space = at(object, "/namespace");
    return fmt::format("{} {}{}", cell(object, "/kind"),
                       name_space.is_string() ? name_space.get<std::string>() + '/' : "",
                       cell(object, "/name"));
}

// "4s", "3m20s", "5h02m", "3d04h".
std::string duration_text(uint64_t seconds) {
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace

std::string change_text(CliCommand command, const Json& reply) {
    struct Group {
        const char* key;
        const char* done;  // of a change
        const char* sign;  // in a diff
    };
    constexpr std::array<Group, 3> kGroups{
        {{"/added", "added", "+"}, {"/changed", "changed", "~"}, {"/removed", "removed", "-"}}};
    const bool is_diff = command == CliCommand::kDiff;
    const bool is_validate = command == CliCommand::kValidate;
    std::string text;
    std::string counts;
    for (const Group& group : kGroups) {
        const Json& objects = at(reply, group.key);
        for (const Json& object : objects) {
            if (is_validate) break;
            const std::string name = printable(change_name(object));
            text += is_diff ? fmt::format("{} {}\n", group.sign, name)
                            : fmt::format("{} {}\n", name, group.done);
        }
        counts += fmt::format("{} {}, ", objects.size(), group.done);
    }
    counts += fmt::format("{} unchanged", cell(reply, "/unchanged"));
    if (is_validate) return fmt::format("valid; apply would leave {}\n", counts);
    if (is_diff) return text + fmt::format("apply would leave {}\n", counts);
    return text + fmt::format("{}; generation {}\n", counts, cell(reply, "/generation"));
}

std::string drops_text(const Json& reply, bool all) {
    Table table({{"REASON"}, {"PACKETS", true}, {"HELP"}});
    for (const Json& drop : reply) {
        if (!all && number_at(drop, "/packets") == 0) continue;
        table.add({cell(drop, "/reason"), cell(drop, "/packets"), cell(drop, "/help")});
    }
    return table.empty() ? "no packet was dropped\n" : table.text();
}

std::string explain_text(const Json& reply) {
    std::string text;
    size_t number = 0;
    const Json& steps = at(reply, "/steps");
    size_t width = 0;
    for (const Json& step : steps) width = std::max(width, cell(step, "/stage").size());
    for (const Json& step : steps) {
        text += fmt::format("{:>2}. {:<{}}  {}\n", ++number, printable(cell(step, "/stage")), width,
                            printable(cell(step, "/what")));
        const std::string why = cell(step, "/why");
        if (why != kNoValue) text += fmt::format("{:{}}{}\n", "", width + 6, printable(why));
    }
    const Json& drop = at(reply, "/drop");
    text += fmt::format("verdict: {}{}", cell(reply, "/verdict"),
                        drop.is_string() ? " (" + drop.get<std::string>() + ")" : "");
    constexpr std::array<std::pair<const char*, const char*>, 5> kFacts{
        {{"port", "/outPort"},
         {"tunnel", "/tunnel"},
         {"service", "/service"},
         {"from", "/translatedFrom"},
         {"to", "/translatedTo"}}};
    for (const auto& [name, pointer] : kFacts) {
        const std::string value = cell(reply, pointer);
        if (value != kNoValue) text += fmt::format(", {} {}", name, printable(value));
    }
    return text + '\n';
}

std::string resolve_text(const Json& reply) {
    std::string text;
    for (const Json& record : at(reply, "/records")) {
        text += printable(cell_text(record)) + '\n';
    }
    const std::string asked = fmt::format("{} {}", cell(reply, "/name"), cell(reply, "/type"));
    const Json& upstream = at(reply, "/upstream");
    if (!upstream.is_object()) {
        return text + printable(fmt::format("{}: {}", asked, cell(reply, "/rcode"))) + '\n';
    }
    return text +
           printable(fmt::format("{}: {} is asked for upstream: {}", asked, cell(upstream, "/name"),
                                 cell(upstream, "/servers"))) +
           '\n';
}

std::string health_text(const Json& reply) {
    const auto seconds = static_cast<uint64_t>(number_at(reply, "/uptimeSeconds"));
    const Json& workers = at(reply, "/workers");
    const auto alive = std::ranges::count_if(
        workers, [](const Json& worker) { return at(worker, "/alive") == true; });
    std::string text =
        fmt::format("{}: node {}, generation {}, up {}, {} of {} workers alive\n",
                    cell(reply, "/status"), cell(reply, "/node"), cell(reply, "/generation"),
                    duration_text(seconds), alive, workers.size());
    for (const Json& problem : at(reply, "/problems")) {
        text += fmt::format("  {}\n", printable(cell_text(problem)));
    }
    return text;
}

std::string pod_add_text(const Json& reply) {
    const Json& port = at(reply, "/port");
    std::string text =
        printable(fmt::format("port {} added: {} in {}, {} at {}, MTU {}", cell(port, "/name"),
                              cell(port, "/ifname"), cell(port, "/netns"), cell(port, "/addresses"),
                              cell(port, "/mac"), cell(port, "/mtu"))) +
        '\n';
    const Json& dns = at(port, "/dns");
    if (!dns.is_object()) return text;
    // As its resolv.conf would have it, which is the runtime's to write.
    for (const Json& server : at(dns, "/nameservers")) {
        text += fmt::format("  nameserver {}\n", printable(cell_text(server)));
    }
    const auto line = [&](const char* word, const char* pointer) {
        std::string words;
        for (const Json& item : at(dns, pointer)) words += ' ' + printable(cell_text(item));
        if (!words.empty()) text += fmt::format("  {}{}\n", word, words);
    };
    line("search", "/search");
    line("options", "/options");
    return text;
}

}  // namespace podlane::control
