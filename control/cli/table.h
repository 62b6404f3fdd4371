// Text tables as kubectl prints them: columns apart by blanks, no lines, headings in capitals; as
// wide as the terminal that they are for. Used by the printers of podlanectl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

/// What a text is printed for.
struct Screen {
    size_t columns = 80;
    bool is_known = false;  ///< a terminal's own width: columns may be left out to fit it
    size_t rows = 0;        ///< of a terminal; 0: endless
    bool wide = false;      ///< -o wide: everything, however wide
    bool headings = true;
};

/// Rows of cells that are lined up when printed. Widths count UTF-8 characters, not bytes.
class Table {
  public:
    struct Column {
        std::string title;
        bool is_number = false;  ///< lined up at the right
        bool is_list = false;    ///< words joined by commas; the first few may be enough
        uint8_t drop = 0;        ///< may be left out; the largest first. 0: never
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// One cell for each column. Text from documents must not control the terminal, so cells go
    /// through printable().
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    /// Headings and rows, each line ended; no blanks at the ends of lines. A table that is too wide
    /// gets narrower gaps, then shorter lists, then, if the width is a terminal's, fewer columns; a
    /// last column of text continues on the next line.
    [[nodiscard]] std::string text(const Screen& screen = {.wide = true}) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// `text` as the function of the same name in lib/base/printable.h shows it.
[[nodiscard]] std::string printable(std::string_view text);

/// The first `most` of words joined by commas: "a,b,+3 more".
[[nodiscard]] std::string shortened(std::string words, size_t most);

}  // namespace podlane::control
