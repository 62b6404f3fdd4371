#include "control/document/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "control/document/builder.h"

namespace podlane::control {

namespace {

/// Length of the UTF-8 sequence at `at`, 0 if there is none (RFC 3629 section 4).
size_t sequence_length(std::string_view text, size_t at) noexcept {
    const auto byte = [&](size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(at);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(at + 1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
        const unsigned high = first == 0xed ? 0x9f : 0xbf;
        return follows(at + 1, low, high) && follows(at + 2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const unsigned low = first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
        return follows(at + 1, low, high) && follows(at + 2) && follows(at + 3) ? 4 : 0;
    }
    return 0;
}

/// Offset of the first byte that is no UTF-8 or is NUL; the text's size if there is none.
size_t first_bad_byte(std::string_view text) noexcept {
    constexpr uint64_t kHighBits = 0x8080808080808080;
    constexpr uint64_t kLowBits = 0x0101010101010101;
    size_t at = 0;
    while (at < text.size()) {
        // Eight bytes at once while they are plain ASCII and none is zero.
        while (at + 8 <= text.size()) {
            uint64_t word = 0;
            std::memcpy(&word, text.data() + at, 8);
            if ((word & kHighBits) != 0 || ((word - kLowBits) & kHighBits) != 0) break;
            at += 8;
        }
        const size_t stop = std::min(at + 8, text.size());
        while (at < stop) {
            const size_t length = sequence_length(text, at);
            if (length == 0 || text[at] == '\0') return at;
            at += length;
        }
    }
    return text.size();
}

DocumentBuilder::Position position_of(std::string_view text, size_t offset) noexcept {
    const std::string_view before = text.substr(0, offset);
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return {static_cast<uint32_t>(1 + std::ranges::count(before, '\n')),
            static_cast<uint32_t>(offset - line_start + 1)};
}

}  // namespace

Result<void> read_documents(std::string_view text, std::string_view name,
                            const DocumentHandler& handler) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    const bool is_json = text[first] == '{' || text[first] == '[';
    const size_t most = is_json ? kMaxJsonBytes : kMaxYamlBytes;
    if (text.size() > most) {
        return document_error(name, {},
                              fmt::format("{} bytes of {} are too many (at most {})", text.size(),
                                          is_json ? "JSON" : "YAML", most));
    }
    if (const size_t bad = first_bad_byte(text); bad < text.size()) {
        const auto byte = static_cast<unsigned char>(text[bad]);
        return document_error(name, position_of(text, bad),
                              fmt::format("byte 0x{:02x} is not UTF-8 text", byte));
    }
    try {
        return is_json ? read_json(text, name, handler) : read_yaml(text, name, handler);
    } catch (const std::bad_alloc&) {
        return document_error(name, {}, "not enough memory to read it");
    }
}

}  // namespace podlane::control
