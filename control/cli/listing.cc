#include "control/cli/listing.h"

#include <fmt/format.h>

#include "control/cli/cell.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

std::string seconds(const Json& item, const char* pointer) {
    const Json& value = at(item, pointer);
    return value.is_number() ? value.dump() + "s" : std::string(kNoValue);
}

// The share of a worker's time that was spent on packets.
std::string busy_share(const Json& worker) {
    const double busy = number_at(worker, "/busyCycles");
    const double all = busy + number_at(worker, "/idleCycles");
    return all > 0 ? fmt::format("{:.1f}%", 100 * busy / all) : std::string(kNoValue);
}

std::string live_cell(const LiveColumn& column, const Json& item) {
    switch (column.cell) {
        case LiveCell::kSeconds:
            return seconds(item, column.pointer);
        case LiveCell::kPortProtocol:
            return cell(item, "/port") + '/' + cell(item, "/protocol");
        case LiveCell::kBusyShare:
            return busy_share(item);
        case LiveCell::kText:
        case LiveCell::kNumber:
        case LiveCell::kList:
            break;
    }
    return cell(item, column.pointer);
}

std::vector<ListColumn> columns_of(const CliKind& kind) {
    return kind.object ? object_columns(*kind.object) : live_columns(*kind.live);
}

}  // namespace

ListColumn list_column(std::string title, const char* pointer) {
    return {std::move(title), [pointer](const Json& item) { return cell(item, pointer); }};
}

ListColumn wide_column(ListColumn column) {
    column.is_wide = true;
    return column;
}

std::vector<ListColumn> live_columns(const LiveKind& kind) {
    std::vector<ListColumn> columns;
    for (const LiveColumn& row : kind.columns) {
        columns.push_back({.title = std::string(row.title),
                           .cell = [&row](const Json& item) { return live_cell(row, item); },
                           .is_wide = row.is_wide,
                           .is_number = row.cell == LiveCell::kNumber ||
                                        row.cell == LiveCell::kSeconds ||
                                        row.cell == LiveCell::kBusyShare,
                           .is_list = row.cell == LiveCell::kList,
                           .is_age = row.cell == LiveCell::kSeconds,
                           .drop = row.drop});
    }
    return columns;
}

std::string list_text(const CliKind& kind, const Json& items, const Screen& screen,
                      std::string_view prefix) {
    if (!items.is_array() || items.empty()) return {};
    std::vector<ListColumn> columns = columns_of(kind);
    std::erase_if(columns, [&](const ListColumn& c) { return c.is_wide && !screen.wide; });
    std::vector<Table::Column> titles;
    for (const ListColumn& c : columns) titles.push_back({c.title, c.is_number, c.is_list, c.drop});
    Table table(std::move(titles));
    for (const Json& item : items) {
        std::vector<std::string> cells;
        for (const ListColumn& c : columns) cells.push_back(c.cell(item));
        cells.front().insert(0, prefix);
        table.add(std::move(cells));
    }
    return table.text(screen);
}

std::string item_name(const CliKind& kind, const Json& item, bool with_namespace) {
    if (kind.live != nullptr) {
        const auto columns = live_columns(*kind.live);
        return fmt::format("{}/{}", kind.singular, columns.front().cell(item));
    }
    return fmt::format("{}{}{}/{}", kind.singular, kind.group.empty() ? "" : ".", kind.group,
                       with_namespace ? object_name(item) : cell(item, "/metadata/name"));
}

std::string row_identity(const CliKind& kind, const Json& item) {
    std::string text;
    for (const ListColumn& column : columns_of(kind)) {
        if (!column.is_age) text += column.cell(item) + '\n';
    }
    return text;
}

}  // namespace podlane::control
