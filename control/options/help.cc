#include "control/options/help.h"

#include <fmt/format.h>

#include <algorithm>

namespace podlane::control {

std::string wrapped(std::string_view text, size_t indent, size_t width) {
    const std::string blanks(indent, ' ');
    std::string out;
    std::string line;
    for (const std::string_view word : words_of(text)) {
        if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
            out += blanks + line + '\n';
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
    }
    return line.empty() ? out : out + blanks + line + '\n';
}

std::string options_help(std::span<const OptionRow> rows) {
    constexpr size_t kWidestUsage = 30;
    size_t width = 0;
    for (const OptionRow& row : rows) {
        const size_t own = option_usage(row).size() + (row.letter == 0 ? 4 : 0);
        if (own <= kWidestUsage) width = std::max(width, own);
    }
    const size_t column = 2 + width + 2;
    std::string text;
    for (const OptionRow& row : rows) {
        const std::string usage = (row.letter == 0 ? "    " : "") + option_usage(row);
        std::string help = wrapped(row.help, column);
        if (usage.size() <= width) {
            help.replace(0, std::min(help.size(), column), fmt::format("  {:<{}}  ", usage, width));
            text += help;
        } else {
            text += fmt::format("  {}\n{}", usage, help);
        }
    }
    return text;
}

std::string manual_escaped(std::string_view text) {
    std::string out;
    bool at_line_start = true;
    for (const char c : text) {
        // A line that begins with a dot or an apostrophe is a request to groff(7).
        if (at_line_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
        at_line_start = c == '\n';
    }
    return out;
}

std::string manual_options(std::span<const OptionRow> rows) {
    std::string text;
    for (const OptionRow& row : rows) {
        text += ".TP\n.B " + manual_escaped(option_usage(row)) + '\n' + manual_escaped(row.help) +
                ".\n";
    }
    return text;
}

std::string manual_text(const ManualPage& page) {
    std::string upper(page.program);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    std::string text = fmt::format(
        ".TH {} {} \"\" \"Podlane {}\" \"Podlane\"\n.SH NAME\n{} \\- {}\n", upper, page.section,
        page.version, manual_escaped(page.program), manual_escaped(page.summary));
    for (const ManualSection& section : page.sections) {
        text += ".SH " + section.heading + '\n' + section.body;
    }
    return text;
}

}  // namespace podlane::control
