#include "lib/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace podlane {

namespace {

/// A character and its length in bytes; a byte that begins no character counts as one itself.
struct Character {
    char32_t code = 0;
    size_t size = 1;
    bool is_valid = false;
};

/// RFC 3629 section 4.
Character character_at(std::string_view text, size_t at) noexcept {
    const auto byte = [&](size_t i) -> uint8_t {
        return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
    };
    const uint8_t first = byte(0);
    if (first < 0x80) return {first, 1, true};
    const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return {};
    char32_t code = first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {};
        code = code << 6 | (byte(i) & 0x3fu);
    }
    constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
    return {code, size, true};
}

struct Range {
    char32_t first, last;
};

/// Controls, formats and separators that change how a reader sees the text around them.
constexpr auto kEscaped = std::to_array<Range>({
    {0x00, 0x1f},
    {0x7f, 0x9f},
    {0xad, 0xad},        // soft hyphen
    {0x61c, 0x61c},      // Arabic letter mark
    {0x180e, 0x180e},    // Mongolian vowel separator
    {0x200b, 0x200f},    // zero width, and direction marks
    {0x2028, 0x202e},    // separators, direction embeddings and overrides
    {0x2060, 0x206f},    // isolates
    {0xfeff, 0xfeff},    // byte order mark
    {0xfff9, 0xfffb},    // interlinear annotations
    {0xe0000, 0xe007f},  // tags
});

bool is_shown(const Character& character) noexcept {
    return character.is_valid && std::ranges::none_of(kEscaped, [&](const Range& range) {
               return character.code >= range.first && character.code <= range.last;
           });
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        const std::string_view bytes = text.substr(at, character.size);
        at += character.size;
        if (is_shown(character)) {
            out += bytes;
            continue;
        }
        for (const char byte : bytes) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(byte));
        }
    }
    return out;
}

std::string printable_json(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        const std::string_view bytes = text.substr(at, character.size);
        at += character.size;
        const auto code = static_cast<uint32_t>(character.code);
        if (!character.is_valid) {
            out += "\\ufffd";
        } else if (code < 0x7f || is_shown(character)) {
            out += bytes;
        } else if (code < 0x10000) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
        } else {
            // A surrogate pair (RFC 8259 section 7).
            fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}",
                           0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    return out;
}

bool is_printable(std::string_view text) noexcept {
    for (size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        if (!is_shown(character)) return false;
        at += character.size;
    }
    return true;
}

}  // namespace podlane
