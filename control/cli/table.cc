#include "control/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/options/help.h"
#include "lib/base/printable.h"

namespace podlane::control {
namespace {

constexpr size_t kGap = 3;
constexpr size_t kNarrowGap = 2;
constexpr size_t kLongList = 4;         // most words of a list that a table shows
constexpr size_t kLeastTextWidth = 20;  // narrower text is not worth wrapping

size_t width_of(std::string_view text) {
    return static_cast<size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// A table ready to be printed.
struct Layout {
    std::vector<const Table::Column*> columns;
    std::vector<std::vector<std::string>> rows;  // of these columns
    size_t gap = kGap;

    [[nodiscard]] std::vector<size_t> widths(bool headings) const {
        std::vector<size_t> out(columns.size(), 0);
        for (size_t i = 0; i < columns.size(); ++i) {
            if (headings) out[i] = width_of(columns[i]->title);
            for (const auto& row : rows) out[i] = std::max(out[i], width_of(row[i]));
        }
        return out;
    }
    [[nodiscard]] size_t width(bool headings) const {
        size_t sum = columns.empty() ? 0 : gap * (columns.size() - 1);
        for (const size_t each : widths(headings)) sum += each;
        return sum;
    }
    void shorten_lists(size_t most) {
        for (size_t i = 0; i < columns.size(); ++i) {
            if (!columns[i]->is_list) continue;
            for (auto& row : rows) row[i] = shortened(std::move(row[i]), most);
        }
    }
    /// Drops the least important column; false if none may be dropped.
    bool drop_column() {
        size_t least = columns.size();
        for (size_t i = 0; i < columns.size(); ++i) {
            const uint8_t drop = columns[i]->drop;
            if (drop != 0 && (least == columns.size() || drop > columns[least]->drop)) least = i;
        }
        if (least == columns.size()) return false;
        const auto at = static_cast<std::ptrdiff_t>(least);
        columns.erase(columns.begin() + at);
        for (auto& row : rows) row.erase(row.begin() + at);
        return true;
    }
};

void fit(Layout& layout, const Screen& screen) {
    const auto is_wide = [&] { return layout.width(screen.headings) > screen.columns; };
    const auto whole = layout.rows;
    layout.shorten_lists(kLongList);
    if (!is_wide()) return;
    layout.gap = kNarrowGap;
    // In a pipe, the addresses of both families must be there.
    const size_t least = screen.is_known ? 1 : 2;
    for (size_t most = kLongList - 1; is_wide() && most >= least; --most) {
        layout.rows = whole;
        layout.shorten_lists(most);
    }
    while (screen.is_known && is_wide() && layout.drop_column()) {
    }
}

}  // namespace

std::string printable(std::string_view text) {
    return podlane::printable(text);
}

std::string shortened(std::string words, size_t most) {
    size_t end = std::string::npos;
    size_t count = 1;
    for (size_t at = words.find(','); at != std::string::npos; at = words.find(',', at + 1)) {
        if (count++ == most) end = at;
    }
    if (count <= most) return words;
    return fmt::format("{},+{} more", std::string_view(words).substr(0, end), count - most);
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::text(const Screen& screen) const {
    Layout layout;
    for (const Column& column : columns_) layout.columns.push_back(&column);
    layout.rows = rows_;
    if (!screen.wide) fit(layout, screen);
    const std::vector<size_t> widths = layout.widths(screen.headings);
    std::string out;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        for (size_t i = 0; i < widths.size(); ++i) {
            const std::string& cell = cell_of(i);
            const std::string blanks(widths[i] - width_of(cell), ' ');
            const bool is_last = i + 1 == widths.size();
            if (is_last && screen.is_known && !screen.wide &&
                width_of(line) + width_of(cell) > screen.columns &&
                width_of(line) + kLeastTextWidth <= screen.columns &&
                cell.find(' ') != std::string::npos) {
                std::string text = wrapped(cell, width_of(line), screen.columns);
                line += text.substr(width_of(line));
                line.pop_back();
            } else {
                line += layout.columns[i]->is_number ? blanks + cell : cell + blanks;
            }
            line.append(layout.gap, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    };
    if (screen.headings) {
        add_line([&](size_t i) -> const std::string& { return layout.columns[i]->title; });
    }
    for (const auto& row : layout.rows) {
        add_line([&](size_t i) -> const std::string& { return row[i]; });
    }
    return out;
}

}  // namespace podlane::control
