#include "control/cli/listing.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/cli/cell.h"
#include "control/cli/table.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

ListColumn number(std::string title, const char* pointer) {
    ListColumn made = list_column(std::move(title), pointer);
    made.is_number = true;
    return made;
}

std::string seconds(const Json& item, const char* pointer) {
    const Json& value = at(item, pointer);
    return value.is_number() ? value.dump() + "s" : std::string(kNoValue);
}

ListColumn age(std::string title, const char* pointer) {
    return {std::move(title), [pointer](const Json& item) { return seconds(item, pointer); }, false,
            true};
}

// A Service may have hundreds of endpoints; a table that must fit a terminal shows the first ones.
std::string shortened(std::string words) {
    constexpr size_t kShown = 4;
    size_t end = std::string::npos;
    size_t count = 1;
    for (size_t at = words.find(','); at != std::string::npos; at = words.find(',', at + 1)) {
        if (count++ == kShown) end = at;
    }
    if (count > kShown) {
        words.erase(end);
        words += fmt::format(",+{} more", count - kShown);
    }
    return words;
}

// How much of a worker's time went to packets.
std::string busy_share(const Json& worker) {
    const double busy = number_at(worker, "/busyCycles");
    const double all = busy + number_at(worker, "/idleCycles");
    return all > 0 ? fmt::format("{:.1f}%", 100 * busy / all) : std::string(kNoValue);
}

std::vector<ListColumn> frontend_columns() {
    return {list_column("SERVICE", "/service"),
            list_column("PORTNAME", "/portName"),
            list_column("KIND", "/kind"),
            list_column("ADDRESS", "/address"),
            {"PORT",
             [](const Json& item) { return cell(item, "/port") + '/' + cell(item, "/protocol"); }},
            list_column("INSIDE", "/inside"),
            wide_column(list_column("OUTSIDE", "/outside")),
            wide_column(list_column("WHEN-EMPTY", "/whenEmpty")),
            wide_column(age("AFFINITY", "/affinitySeconds")),
            wide_column(list_column("SOURCE-RANGES", "/sourceRanges"))};
}

std::vector<ListColumn> flow_columns() {
    return {list_column("PROTOCOL", "/protocol"),
            list_column("FROM", "/from"),
            list_column("TO", "/to"),
            list_column("TRANSLATED-FROM", "/translatedFrom"),
            list_column("TRANSLATED-TO", "/translatedTo"),
            list_column("STATE", "/state"),
            age("IDLE", "/idleSeconds"),
            age("EXPIRES", "/expiresSeconds"),
            wide_column(list_column("SERVICE", "/service")),
            wide_column(list_column("IN-PORT", "/inPort")),
            wide_column(list_column("OUT-PORT", "/outPort")),
            wide_column(number("WORKER", "/worker")),
            wide_column(number("PACKETS", "/packets")),
            wide_column(number("BYTES", "/bytes"))};
}

}  // namespace

ListColumn list_column(std::string title, const char* pointer) {
    return {std::move(title), [pointer](const Json& item) { return cell(item, pointer); }};
}

ListColumn wide_column(ListColumn column) {
    column.is_wide = true;
    return column;
}

std::vector<ListColumn> live_columns(std::string_view kind) {
    if (kind == "ports") {
        return {list_column("NAME", "/name"),
                list_column("KIND", "/kind"),
                list_column("STATE", "/state"),
                list_column("MAC", "/mac"),
                number("MTU", "/mtu"),
                list_column("ADDRESSES", "/addresses"),
                wide_column(number("ID", "/id")),
                wide_column(list_column("DEVICE", "/device")),
                wide_column(number("QUEUES", "/queues")),
                wide_column(list_column("NETNS", "/netns")),
                wide_column(list_column("IFNAME", "/ifname"))};
    }
    if (kind == "neighbors") {
        return {list_column("ADDRESS", "/address"), list_column("MAC", "/mac"),
                list_column("PORT", "/port"), list_column("STATE", "/state"),
                age("AGE", "/ageSeconds")};
    }
    if (kind == "fdb") {
        return {list_column("MAC", "/mac"), list_column("PORT", "/port"),
                list_column("KIND", "/kind"), list_column("VTEP", "/vtep"),
                age("AGE", "/ageSeconds")};
    }
    if (kind == "routes") {
        return {list_column("PREFIX", "/prefix"),  list_column("KIND", "/kind"),
                list_column("VIA", "/via"),        list_column("PORT", "/port"),
                list_column("NODE", "/node"),      wide_column(list_column("OVERLAY", "/overlay")),
                wide_column(number("MTU", "/mtu"))};
    }
    if (kind == "flows") return flow_columns();
    if (kind == "workers") {
        return {number("ID", "/id"),
                number("CPU", "/cpu"),
                number("TID", "/tid"),
                number("GENERATION", "/generation"),
                number("RX-PACKETS", "/rxPackets"),
                {"BUSY", busy_share, false, true},
                list_column("QUEUES", "/queues"),
                wide_column(number("NUMA", "/numaNode"))};
    }
    if (kind == "frontends") return frontend_columns();
    if (kind == "addresses") {
        return {list_column("ADDRESS", "/address"), list_column("SERVICE", "/service"),
                list_column("NODE", "/node"),
                wide_column(list_column("CANDIDATES", "/candidates"))};
    }
    return {};
}

std::string list_text(std::string_view kind, const Json& items, bool is_wide) {
    if (!items.is_array() || items.empty()) return fmt::format("no {}\n", kind);
    std::vector<ListColumn> columns = object_columns(kind);
    if (columns.empty()) columns = live_columns(kind);
    std::erase_if(columns, [&](const ListColumn& c) { return c.is_wide && !is_wide; });
    std::vector<Table::Column> titles;
    for (const ListColumn& c : columns) titles.push_back({c.title, c.is_number});
    Table table(std::move(titles));
    for (const Json& item : items) {
        std::vector<std::string> cells;
        for (const ListColumn& c : columns)
            cells.push_back(is_wide ? c.cell(item) : shortened(c.cell(item)));
        table.add(std::move(cells));
    }
    return table.text();
}

}  // namespace podlane::control
