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

/// Offset of the first byte that is NUL or not UTF-8; the text's size if there is none.
size_t first_bad_byte(std::string_view text) noexcept {
    constexpr uint64_t kHighBits = 0x8080808080808080;
    constexpr uint64_t kLowBits = 0x0101010101010101;
    size_t at = 0;
    while (at < text.size()) {
        // Eight bytes at a time while all are ASCII and none is zero.
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

bool is_separator(std::string_view text, size_t at) noexcept {
    constexpr std::string_view kSeparator = "---";
    if (text.substr(at, kSeparator.size()) != kSeparator) return false;
    const size_t behind = at + kSeparator.size();
    return behind == text.size() || std::strchr(" \t\r\n", text[behind]) != nullptr;
}

/// The beginning of the next line that separates documents (YAML 1.2 section 9.1.2), which neither
/// language allows within a value; the text's size if there is none.
size_t next_separator(std::string_view text, size_t from) noexcept {
    for (size_t at = text.find("\n---", from); at != std::string_view::npos;
         at = text.find("\n---", at + 1)) {
        if (is_separator(text, at + 1)) return at + 1;
    }
    return text.size();
}

/// Where a chunk's first value begins, after its separator, white space and comments; its size if
/// there is none. `has_directives`: there are lines such as `%YAML 1.1`, which belong to the
/// document that follows.
size_t first_value(std::string_view chunk, bool& has_directives) noexcept {
    size_t at = is_separator(chunk, 0) ? 3 : 0;
    while (true) {
        at = chunk.find_first_not_of(" \t\r\n", at);
        if (at == std::string_view::npos) return chunk.size();
        if (chunk[at] == '%') has_directives = true;
        if (chunk[at] != '#' && chunk[at] != '%') return at;
        at = chunk.find('\n', at);
        if (at == std::string_view::npos) return chunk.size();
    }
}

uint32_t count_lines(std::string_view text) noexcept {
    return static_cast<uint32_t>(std::ranges::count(text, '\n'));
}

/// Reads the text between two separators. False ends the reading.
bool read_chunk(std::string_view text, Start start, size_t value, DocumentBuilder& builder) {
    if (text[value] != '{' && text[value] != '[') {
        read_yaml(text, start, false, builder);
        return !builder.failed() && !builder.stopped();
    }
    const Start first{value,
                      start.line + count_lines(text.substr(start.offset, value - start.offset))};
    const JsonEnd end = read_json(text, first, builder);
    if (!end.may_be_yaml) return !builder.failed() && !builder.stopped();
    // JSON with comments, extra commas or bare words is YAML, and so is KYAML. Items of this
    // document that were already handed over are not handed over again.
    builder.forget_error();
    if (const size_t size = text.size() - end.at.offset; size > kMaxFlowYamlBytes) {
        return builder.fail({end.at.line, 1},
                            fmt::format("{} bytes of YAML in flow style (KYAML, or JSON with "
                                        "comments) are too many (at most {}; JSON and YAML in "
                                        "block style may have {})",
                                        size, kMaxFlowYamlBytes, kMaxDocumentBytes));
    }
    read_yaml(text, end.at.offset == value ? start : end.at, true, builder);
    return !builder.failed() && !builder.stopped();
}

}  // namespace

Result<void> read_documents(std::string_view text, std::string_view name,
                            const DocumentHandler& handler) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (text.size() > kMaxDocumentBytes) {
        return document_error(name, {},
                              fmt::format("{} bytes are too many at once (at most {})", text.size(),
                                          kMaxDocumentBytes));
    }
    if (const size_t bad = first_bad_byte(text); bad < text.size()) {
        const auto byte = static_cast<unsigned char>(text[bad]);
        return document_error(name, position_of(text, bad),
                              fmt::format("byte 0x{:02x} is not UTF-8 text", byte));
    }
    try {
        Arena arena;
        DocumentBuilder builder(name, handler, arena);
        Start start;
        while (start.offset < text.size()) {
            size_t stop = next_separator(text, start.offset);
            bool has_directives = false;
            const std::string_view chunk = text.substr(start.offset, stop - start.offset);
            const size_t value = first_value(chunk, has_directives);
            if (has_directives) stop = next_separator(text, stop);
            const bool is_empty = value == chunk.size() && !has_directives;
            if (!is_empty && !read_chunk(text.substr(0, stop), start,
                                         start.offset + (has_directives ? 0 : value), builder)) {
                break;
            }
            start.line += count_lines(text.substr(start.offset, stop - start.offset));
            start.offset = stop;
        }
        if (builder.failed()) return builder.error();
        return {};
    } catch (const std::bad_alloc&) {
        return document_error(name, {}, "not enough memory to read it");
    }
}

}  // namespace podlane::control
