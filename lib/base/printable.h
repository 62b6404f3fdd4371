// Makes text from outside safe to show: in one line of a log, an error or a terminal, and in JSON
// and YAML that somebody reads.
//
// What input quotes may neither begin a line of its own, nor drive a terminal, nor look like other
// text than it is. So these are escaped: control characters (C0, DEL, C1), line and paragraph
// separators, marks that turn the direction of writing (Unicode Standard Annex 9), characters
// without a width, and bytes that are no UTF-8. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace podlane {

/// Each byte of such characters as \xNN. All else stays as it is, so a second call changes nothing.
[[nodiscard]] std::string printable(std::string_view text);

/// For JSON, and YAML in double quotes, in which such characters beyond ASCII stand within strings
/// alone: each as \uNNNN, which means the same. `text` is UTF-8.
[[nodiscard]] std::string printable_json(std::string_view text);

/// Whether the text has a character that printable() would escape.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

}  // namespace podlane
