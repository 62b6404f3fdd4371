// Makes text from outside safe to show in one line of a log, an error or a terminal.
#pragma once

#include <string>
#include <string_view>

namespace podlane {

/// Each control character as \xNN: C0, DEL, and C1 where it stands as UTF-8. So input that a
/// message quotes can neither begin a line of its own nor drive a terminal. All else stays as it
/// is.
[[nodiscard]] inline std::string printable(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    const auto escape = [&out](unsigned char c) {
        out += "\\x";
        out += kDigits[c >> 4];
        out += kDigits[c & 15];
    };
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        if (c < 0x20 || c == 0x7f) {
            escape(c);
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            escape(c);
            escape(static_cast<unsigned char>(next));
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace podlane
