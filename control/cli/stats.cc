// The tables of `podlanectl stats`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "control/cli/cell.h"
#include "control/cli/report.h"
#include "control/cli/table.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

// The element of `list` whose `key` is that of `item`; null if there is none.
const Json& same(const Json& list, const Json& item, const char* key) {
    static const Json kNull;
    for (const Json& candidate : list) {
        if (at(candidate, key) == at(item, key)) return candidate;
    }
    return kNull;
}

// "1.25M": at most three digits before the point.
std::string scaled(double value) {
    constexpr std::array<const char*, 5> kUnits{"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    return fmt::format("{:.{}f}{}", value, unit == 0 ? 0 : 2, kUnits[unit]);
}

// The counter's gain per second since `was`; a new counter has no rate yet.
std::string rate(const Json& now, const Json& was, const char* pointer, double seconds,
                 double factor = 1) {
    if (was.is_null() || seconds <= 0) return std::string(kNoValue);
    const double gained = number_at(now, pointer) - number_at(was, pointer);
    return scaled(std::max(0.0, gained) * factor / seconds);
}

// Counters, or rates when watching; both if there is room for all.
std::string ports_text(const Json& ports, const std::optional<StatsBefore>& before,
                       const Screen& screen) {
    const bool with_totals = !before || screen.wide;
    std::vector<Table::Column> columns{{"PORT"}};
    if (screen.wide) columns.push_back({"KIND"});
    const auto add_titles = [&columns](std::initializer_list<const char*> titles) {
        for (const char* title : titles) columns.push_back({title, true});
    };
    if (with_totals) add_titles({"RX-PACKETS", "RX-BYTES", "TX-PACKETS", "TX-BYTES"});
    if (before) add_titles({"RX-PPS", "RX-BPS", "TX-PPS", "TX-BPS"});
    add_titles({"RX-DROP", "TX-DROP"});
    Table table(std::move(columns));
    for (const Json& port : ports) {
        std::vector<std::string> cells{cell(port, "/name")};
        if (screen.wide) cells.push_back(cell(port, "/kind"));
        if (with_totals) {
            for (const char* pointer : {"/rxPackets", "/rxBytes", "/txPackets", "/txBytes"}) {
                cells.push_back(cell(port, pointer));
            }
        }
        if (before) {
            const Json& was = same(at(before->reply, "/ports"), port, "/name");
            const double seconds = before->seconds;
            cells.push_back(rate(port, was, "/rxPackets", seconds));
            cells.push_back(rate(port, was, "/rxBytes", seconds, 8));
            cells.push_back(rate(port, was, "/txPackets", seconds));
            cells.push_back(rate(port, was, "/txBytes", seconds, 8));
        }
        cells.push_back(cell(port, "/rxDropped"));
        cells.push_back(cell(port, "/txDropped"));
        table.add(std::move(cells));
    }
    return table.text(screen);
}

// The share of its time that a worker was busy, since `was` or since it started.
std::string busy_share(const Json& now, const Json& was) {
    const double busy = number_at(now, "/busyCycles") - number_at(was, "/busyCycles");
    const double idle = number_at(now, "/idleCycles") - number_at(was, "/idleCycles");
    return busy + idle > 0 ? fmt::format("{:.1f}%", 100 * busy / (busy + idle))
                           : std::string(kNoValue);
}

// Packets by the longest time in ns that they took: the histogram's buckets.
std::map<double, double> buckets_of(const Json& worker) {
    std::map<double, double> packets;
    for (const Json& bucket : at(worker, "/latency/buckets")) {
        packets[number_at(bucket, "/0")] += number_at(bucket, "/1");
    }
    return packets;
}

std::string duration_text(double ns) {
    if (ns < 1e3) return fmt::format("{:.0f}ns", ns);
    if (ns < 1e6) return fmt::format("{:.1f}us", ns / 1e3);
    return fmt::format("{:.1f}ms", ns / 1e6);
}

// The longest time that the fastest 50 %, 99 % and 99.9 % of the packets took, since `was` or since
// the start.
std::vector<std::string> latencies(const Json& now, const Json& was) {
    std::map<double, double> packets = buckets_of(now);
    double total = 0;
    for (const auto& [ns, count] : buckets_of(was)) packets[ns] -= count;
    for (const auto& [ns, count] : packets) total += std::max(0.0, count);
    std::vector<std::string> texts;
    double sum = 0;
    for (auto at = packets.begin(); const double share : {0.5, 0.99, 0.999}) {
        for (; at != packets.end() && sum < share * total; ++at) sum += std::max(0.0, at->second);
        texts.push_back(total > 0 ? duration_text(std::prev(at)->first) : std::string(kNoValue));
    }
    return texts;
}

std::string workers_text(const Json& workers, const std::optional<StatsBefore>& before,
                         const Screen& screen) {
    Table table({{"WORKER", true},
                 {"CPU", true},
                 {"TID", true},
                 {"RX-PACKETS", true},
                 {"BUSY", true},
                 {"P50", true},
                 {"P99", true},
                 {"P99.9", true}});
    for (const Json& worker : workers) {
        const Json was = before ? same(at(before->reply, "/workers"), worker, "/id") : Json();
        std::vector<std::string> cells{cell(worker, "/id"), cell(worker, "/cpu"),
                                       cell(worker, "/tid"), cell(worker, "/rxPackets"),
                                       busy_share(worker, was)};
        for (std::string& text : latencies(worker, was)) cells.push_back(std::move(text));
        table.add(std::move(cells));
    }
    return table.text(screen);
}

// Packets received and made equal those sent, dropped, taken or waiting.
std::string frames_text(const Json& frames, const Screen& screen) {
    Table table({{"FRAMES-IN", true},
                 {"OWN", true},
                 {"OUT", true},
                 {"DROPPED", true},
                 {"TAKEN", true},
                 {"HELD", true},
                 {"LOST-BEFORE", true},
                 {"LOST-AFTER", true},
                 {"BUFFERS-USED", true}});
    table.add(
        {cell(frames, "/received"), cell(frames, "/made"), cell(frames, "/sent"),
         cell(frames, "/dropped"), cell(frames, "/taken"), cell(frames, "/held"),
         cell(frames, "/lostBefore"), cell(frames, "/lostAfter"),
         fmt::format("{}/{}", cell(frames, "/buffers/inUse"), cell(frames, "/buffers/total"))});
    return table.text(screen);
}

// The pipeline's stages: packets that each one handled, and packets that it passed on.
std::string stages_text(const Json& stages, const std::optional<StatsBefore>& before,
                        const Screen& screen) {
    std::vector<Table::Column> columns{{"STAGE"}, {"IN", true}, {"OUT", true}};
    if (before) columns.push_back({"IN-PPS", true});
    Table table(std::move(columns));
    for (const auto& [stage, counts] : stages.items()) {
        std::vector<std::string> cells{stage, cell(counts, "/in"), cell(counts, "/out")};
        if (before) {
            const Json& was = at(at(before->reply, "/stages"), ('/' + stage).c_str());
            cells.push_back(rate(counts, was, "/in", before->seconds));
        }
        table.add(std::move(cells));
    }
    return table.text(screen);
}

std::string flows_text(const Json& flows, const std::optional<StatsBefore>& before,
                       const Screen& screen) {
    std::vector<Table::Column> columns{{"FLOWS-ACTIVE", true}, {"CAPACITY", true},
                                       {"CREATED", true},      {"EXPIRED", true},
                                       {"EVICTED", true},      {"REFUSED", true}};
    if (before) columns.push_back({"CREATED/S", true});
    Table table(std::move(columns));
    std::vector<std::string> cells{cell(flows, "/active"),  cell(flows, "/capacity"),
                                   cell(flows, "/created"), cell(flows, "/expired"),
                                   cell(flows, "/evicted"), cell(flows, "/refused")};
    if (before) {
        cells.push_back(rate(flows, at(before->reply, "/flows"), "/created", before->seconds));
    }
    table.add(std::move(cells));
    return table.text(screen);
}

// Services that had connections since `before`, or ever. The others are only counted: a node has
// many idle ones.
std::string services_text(const Json& services, const std::optional<StatsBefore>& before,
                          const Screen& screen) {
    std::vector<Table::Column> columns{{"SERVICE"}, {"CONNECTIONS", true}};
    if (before) columns.push_back({"NEW/S", true});
    Table table(std::move(columns));
    size_t idle = 0;
    for (const Json& service : services) {
        const Json& was =
            before ? same(at(before->reply, "/services"), service, "/service") : at({}, "/none");
        const double gained = number_at(service, "/created") - number_at(was, "/created");
        if (gained <= 0 && !screen.wide) {
            ++idle;
            continue;
        }
        std::vector<std::string> cells{cell(service, "/service"), cell(service, "/created")};
        if (before) cells.push_back(rate(service, was, "/created", before->seconds));
        table.add(std::move(cells));
    }
    std::string text = table.empty() ? "" : table.text(screen);
    if (idle != 0) {
        text += fmt::format("{} Service{} without {}connections (-o wide shows them)\n", idle,
                            idle == 1 ? "" : "s", before ? "new " : "");
    }
    return text;
}

// Destinations that ran out of source ports; empty if there are none.
std::string exhausted_text(const Json& exhausted, const Screen& screen) {
    Table table({{"PROTOCOL"}, {"NO-PORT-FREE-FROM"}, {"TO"}, {"REFUSED", true}});
    for (const Json& one : exhausted) {
        table.add(
            {cell(one, "/protocol"), cell(one, "/from"), cell(one, "/to"), cell(one, "/refused")});
    }
    return table.empty() ? "" : table.text(screen) + '\n';
}

std::string drop_counts_text(const Json& drops, const std::optional<StatsBefore>& before,
                             const Screen& screen) {
    std::vector<Table::Column> columns{{"DROPPED"}, {"PACKETS", true}};
    if (before) columns.push_back({"PPS", true});
    Table table(std::move(columns));
    const Json& was = before ? at(before->reply, "/drops") : drops;
    for (const auto& [reason, packets] : drops.items()) {
        if (packets == 0) continue;
        std::vector<std::string> cells{reason, cell_text(packets)};
        if (before) {
            const std::string pointer = '/' + reason;
            cells.push_back(rate(drops, was, pointer.c_str(), before->seconds));
        }
        table.add(std::move(cells));
    }
    return table.empty() ? "no packet was dropped\n" : table.text(screen);
}

// The cluster's DNS: what workers answered, and what the server behind them did.
std::string dns_text(const Json& dns, const Screen& screen) {
    Table table({{"DNS"},
                 {"ANSWER", true},
                 {"NODATA", true},
                 {"NXDOMAIN", true},
                 {"ERROR", true},
                 {"FORWARD", true}});
    const auto add = [&table](const char* name, const Json& outcomes) {
        double errors = 0;
        for (const char* kind : {"/formerr", "/notimp", "/refused", "/badversion", "/servfail"}) {
            errors += number_at(outcomes, kind);
        }
        table.add({name, cell(outcomes, "/answer"), cell(outcomes, "/nodata"),
                   cell(outcomes, "/nxdomain"), fmt::format("{:.0f}", errors),
                   cell(outcomes, "/forward")});
    };
    add("workers", at(dns, "/workers"));
    const Json& server = at(dns, "/server");
    if (!server.is_object()) return table.text(screen);
    add("server", at(server, "/outcomes"));
    Table upstreams({{"UPSTREAM"}, {"STATE"}, {"ASKED", true}, {"FAILED", true}});
    for (const Json& one : at(server, "/upstreams")) {
        upstreams.add({cell(one, "/server"), at(one, "/healthy") == true ? "healthy" : "unhealthy",
                       cell(one, "/asked"), cell(one, "/failed")});
    }
    return table.text(screen) + (upstreams.empty() ? "" : '\n' + upstreams.text(screen));
}

}  // namespace

std::string stats_text(const Json& reply, const std::optional<StatsBefore>& before,
                       const Screen& screen) {
    std::string text = fmt::format("generation {}\n\n", cell(reply, "/generation"));
    text += ports_text(at(reply, "/ports"), before, screen) + '\n';
    text += workers_text(at(reply, "/workers"), before, screen) + '\n';
    const Json& frames = at(reply, "/frames");
    if (frames.is_object()) text += frames_text(frames, screen) + '\n';
    const Json& stages = at(reply, "/stages");
    if (screen.wide && stages.is_object()) text += stages_text(stages, before, screen) + '\n';
    text += flows_text(at(reply, "/flows"), before, screen) + '\n';
    text += exhausted_text(at(reply, "/snat/exhausted"), screen);
    if (at(reply, "/dns").is_object()) text += dns_text(at(reply, "/dns"), screen) + '\n';
    text += drop_counts_text(at(reply, "/drops"), before, screen);
    // Last: a node has hundreds of Services, and the sections above must stay visible.
    const Json& services = at(reply, "/services");
    if (!services.empty()) text += '\n' + services_text(services, before, screen);
    return text;
}

}  // namespace podlane::control
