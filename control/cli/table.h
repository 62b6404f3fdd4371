// Text tables as kubectl prints them: columns apart by three spaces, no lines, headings in
// capitals. Used by the printers of podlanectl.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

/// Rows of cells that are lined up when printed. Widths count UTF-8 characters, not bytes.
class Table {
  public:
    struct Column {
        std::string title;
        bool is_number = false;  ///< lined up at the right
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// One cell for each column. Control characters are shown as '?': they come from documents, and
    /// must not reach the terminal.
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    /// Headings and rows, each line ended; no blanks at the ends of lines.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// `text` with control characters replaced by '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace podlane::control
