// Help texts, man pages and completion, made from tables of options.
//
// Programs print the help, the build makes the man pages and podlanectl prints the completion, so
// that all of them agree with the program.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/options/table.h"

namespace podlane::control {

/// "  -f, --filename FILE...   help", a line for each row, lines of at most 80 columns.
[[nodiscard]] std::string options_help(std::span<const OptionRow> rows);

/// `text` in lines of at most `width` columns, each behind `indent` blanks.
[[nodiscard]] std::string wrapped(std::string_view text, size_t indent, size_t width = 80);

/// A section of a man page: a heading, and the man(7) text below it.
struct ManualSection {
    std::string heading;
    std::string body;
};

/// What describes a program to its man page.
struct ManualPage {
    std::string_view program;  ///< "podlanectl"
    int section = 1;
    std::string_view version;
    std::string_view summary;  ///< one line
    std::vector<ManualSection> sections;
};

/// The page as man(7) text.
[[nodiscard]] std::string manual_text(const ManualPage& page);

/// Plain text for a man page, escaped so that no part of it is taken for a macro.
[[nodiscard]] std::string manual_escaped(std::string_view text);

/// Options as tagged paragraphs.
[[nodiscard]] std::string manual_options(std::span<const OptionRow> rows);

}  // namespace podlane::control
