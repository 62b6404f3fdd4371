#include "control/cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "control/cli/cell.h"
#include "control/cli/table.h"
#include "control/options/help.h"
#include "lib/base/join.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

// "4s", "3m20s", "5h02m", "3d04h".
std::string duration_text(uint64_t seconds) {
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace

std::string change_name(const Json& object) {
    const Json& name_space = at(object, "/namespace");
    return fmt::format("{} {}{}", cell(object, "/kind"),
                       name_space.is_string() ? name_space.get<std::string>() + '/' : "",
                       cell(object, "/name"));
}

std::string change_text(const Json& reply) {
    std::string text;
    std::string counts;
    for (const char* group : {"added", "changed", "removed"}) {
        const Json& objects = at(reply, fmt::format("/{}", group).c_str());
        for (const Json& object : objects) {
            text += fmt::format("{} {}\n", printable(change_name(object)), group);
        }
        counts += fmt::format("{} {}, ", objects.size(), group);
    }
    // With a feeder's set, single objects may have been refused.
    const Json& refused = at(reply, "/refused");
    if (refused.is_array() && !refused.empty()) {
        counts += fmt::format("{} refused, ", refused.size());
    }
    return text + fmt::format("{}{} unchanged; generation {}\n", counts, cell(reply, "/unchanged"),
                              cell(reply, "/generation"));
}

std::string plan_text(const Json& reply) {
    return fmt::format("apply would add {}, change {} and remove {}; {} unchanged\n",
                       at(reply, "/added").size(), at(reply, "/changed").size(),
                       at(reply, "/removed").size(), cell(reply, "/unchanged"));
}

std::string drops_text(const Json& reply, const Screen& screen) {
    Table table({{"REASON"}, {"PACKETS", true}, {"HELP"}});
    for (const Json& drop : reply) {
        if (!screen.wide && number_at(drop, "/packets") == 0) continue;
        table.add({cell(drop, "/reason"), cell(drop, "/packets"), cell(drop, "/help")});
    }
    return table.empty() ? "no packet was dropped\n" : table.text(screen);
}

std::string explain_text(const Json& reply, const Screen& screen) {
    std::string text;
    const auto fitted = [&](const std::string& line, size_t indent) {
        return screen.is_known && !screen.wide ? wrapped(line, indent, screen.columns)
                                               : std::string(indent, ' ') + line + '\n';
    };
    size_t number = 0;
    const Json& steps = at(reply, "/steps");
    size_t width = 0;
    for (const Json& step : steps) width = std::max(width, cell(step, "/stage").size());
    for (const Json& step : steps) {
        std::string what = fitted(printable(cell(step, "/what")), width + 6);
        what.replace(
            0, width + 6,
            fmt::format("{:>2}. {:<{}}  ", ++number, printable(cell(step, "/stage")), width));
        text += what;
        const std::string why = cell(step, "/why");
        if (why != kNoValue) text += fitted(printable(why), width + 6);
    }
    const Json& drop = at(reply, "/drop");
    std::string verdict = fmt::format("verdict: {}{}", cell(reply, "/verdict"),
                                      drop.is_string() ? " (" + drop.get<std::string>() + ")" : "");
    constexpr std::array<std::pair<const char*, const char*>, 5> kFacts{
        {{"port", "/outPort"},
         {"tunnel", "/tunnel"},
         {"service", "/service"},
         {"from", "/translatedFrom"},
         {"to", "/translatedTo"}}};
    for (const auto& [name, pointer] : kFacts) {
        const std::string value = cell(reply, pointer);
        if (value != kNoValue) verdict += fmt::format(", {} {}", name, printable(value));
    }
    return text + fitted(verdict, 0);
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
    std::vector<std::string> servers;
    for (const Json& server : at(upstream, "/servers")) {
        const Json& silent = at(upstream, "/silent");
        const bool is_silent = std::ranges::find(silent, server) != silent.end();
        servers.push_back(cell_text(server) + (is_silent ? " (does not answer)" : ""));
    }
    return text +
           printable(fmt::format("{}: {} is asked for upstream: {}", asked, cell(upstream, "/name"),
                                 servers.empty() ? "no server" : join(servers))) +
           '\n';
}

std::string health_text(const Json& reply, const Screen& screen) {
    const auto seconds = static_cast<uint64_t>(number_at(reply, "/uptimeSeconds"));
    const Json& workers = at(reply, "/workers");
    const auto alive = std::ranges::count_if(
        workers, [](const Json& worker) { return at(worker, "/alive") == true; });
    std::string text = fmt::format(
        "{}: node {}, generation {}, up {}, {} of {} workers alive{}\n", cell(reply, "/status"),
        cell(reply, "/node"), cell(reply, "/generation"), duration_text(seconds), alive,
        workers.size(), at(reply, "/ready") == false ? ", not ready" : "");
    if (cell(reply, "/seccomp") == "off") {
        text += "  system calls are not filtered: security.seccomp is off\n";
    }
    const auto add = [&text, &screen](const Json& what, std::string_view where) {
        const std::string line = std::string(where) + printable(cell_text(what));
        text +=
            screen.is_known && !screen.wide ? wrapped(line, 2, screen.columns) : "  " + line + '\n';
    };
    for (const Json& problem : at(reply, "/problems")) add(problem, "");
    for (const Json& problem : at(reply, "/elsewhere")) add(problem, "elsewhere: ");
    return text;
}

std::string flannel_text(const Json& reply) {
    const std::string way =
        at(reply, "/vtepMac").is_null()
            ? std::string("no tunnel")
            : fmt::format("VTEP {}, VNI {}, UDP port {}", cell(reply, "/vtepMac"),
                          cell(reply, "/vni"), cell(reply, "/port"));
    std::string text = printable(
        fmt::format("# node {}: {}, pods {}", cell(reply, "/node"), way, cell(reply, "/podCidrs")));
    text +=
        '\n' + printable(fmt::format("kubectl annotate --overwrite node {}", cell(reply, "/node")));
    for (const auto& [key, value] : at(reply, "/annotations").items()) {
        text += " \\\n    " + printable(fmt::format("{}='{}'", key, cell_text(value)));
    }
    return text + '\n';
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
    // In resolv.conf's format; the container runtime writes that file.
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
