// Makes text from outside safe to show: on one line of a log, an error or a terminal, and in JSON
// and YAML for people.
//
// Quoted input must not begin a new line, control a terminal, or look like other text than it is.
// So these are escaped: control characters (C0, DEL, C1), line and paragraph separators, characters
// that change the writing direction (Unicode Standard Annex 9), characters without width, and bytes
// that are not UTF-8. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace podlane {

/// Writes each byte of such characters as \xNN. All else is unchanged, so a second call changes
/// nothing.
[[nodiscard]] std::string printable(std::string_view text);

/// For JSON, and for YAML in double quotes: writes such characters beyond ASCII, which occur only
/// within strings there, as \uNNNN, which means the same. `text` is UTF-8.
[[nodiscard]] std::string printable_json(std::string_view text);

/// Whether the text has a character that printable() would escape.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

}  // namespace podlane
