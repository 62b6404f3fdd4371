// JSON through RapidJSON's SAX reader (RFC 8259).
#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "control/document/builder.h"

namespace podlane::control {

namespace {

namespace rj = rapidjson;

/// Follows the reader through the text and finds where its tokens begin: the reader itself only
/// knows how far it has read.
class Cursor {
  public:
    Cursor(std::string_view text, Start start)
        : text_(text),
          offset_(start.offset),
          line_start_(text.substr(0, start.offset).rfind('\n') + 1),  // npos + 1 is 0
          line_(start.line) {}

    /// Moves to the next token, past white space and punctuation.
    void to_token() noexcept {
        for (; offset_ < text_.size(); ++offset_) {
            switch (text_[offset_]) {
                case '\n':
                    ++line_;
                    line_start_ = offset_ + 1;
                    break;
                case ' ':
                case '\t':
                case '\r':
                case ',':
                case ':':
                case ']':
                case '}':
                    break;
                default:
                    return;
            }
        }
    }
    /// Moves to any `offset`.
    void to(size_t offset) noexcept {
        for (; offset_ < offset && offset_ < text_.size(); ++offset_) {
            if (text_[offset_] != '\n') continue;
            ++line_;
            line_start_ = offset_ + 1;
        }
    }
    /// Moves past a token, which contains no line break.
    void past_token(size_t end) noexcept { offset_ = end; }

    [[nodiscard]] size_t offset() const noexcept { return offset_; }
    [[nodiscard]] DocumentBuilder::Position position() const noexcept {
        return {line_, static_cast<uint32_t>(offset_ - line_start_ + 1)};
    }

  private:
    std::string_view text_;
    size_t offset_;
    size_t line_start_;
    uint32_t line_;
};

class JsonEvents {
  public:
    JsonEvents(std::string_view text, const rj::MemoryStream& stream, size_t base, Cursor& cursor,
               DocumentBuilder& builder)
        : text_(text), stream_(stream), base_(base), cursor_(cursor), builder_(builder) {}

    // Method names as RapidJSON requires.
    bool Null() { return scalar(ValueType::kNull, {}); }
    bool Bool(bool value) { return scalar(ValueType::kBool, value ? "true" : "false"); }
    bool RawNumber(const char* data, rj::SizeType size, bool /*copy*/) {
        cursor_.to_token();
        const std::string_view number(data, size);
        const bool is_integer = number.find_first_of(".eE") == std::string_view::npos;
        return scalar(is_integer ? ValueType::kInteger : ValueType::kNumber,
                      text_.substr(cursor_.offset(), size));
    }
    bool String(const char* data, rj::SizeType size, bool /*copy*/) {
        cursor_.to_token();
        const auto at = cursor_.position();
        const size_t begin = cursor_.offset();
        const size_t end = base_ + stream_.Tell();
        cursor_.past_token(end);
        // With escapes, the text is longer than the string that it stands for.
        const std::string_view string = end - begin == size + 2
                                            ? text_.substr(begin + 1, size)
                                            : builder_.arena().copy(std::string_view(data, size));
        return builder_.scalar(ValueType::kString, string, at);
    }
    bool Key(const char* data, rj::SizeType size, bool copy) { return String(data, size, copy); }
    bool StartObject() {
        const auto at = begin_container();
        return builder_.begin_mapping(at);
    }
    bool EndObject(rj::SizeType /*members*/) { return builder_.end_container(); }
    bool StartArray() {
        const auto at = begin_container();
        return builder_.begin_sequence(at);
    }
    bool EndArray(rj::SizeType /*items*/) { return builder_.end_container(); }
    // Never called: numbers are asked for as text.
    bool Int(int /*value*/) { return false; }
    bool Uint(unsigned /*value*/) { return false; }
    bool Int64(int64_t /*value*/) { return false; }
    bool Uint64(uint64_t /*value*/) { return false; }
    bool Double(double /*value*/) { return false; }

  private:
    bool scalar(ValueType type, std::string_view text) {
        cursor_.to_token();
        const auto at = cursor_.position();
        cursor_.past_token(base_ + stream_.Tell());
        return builder_.scalar(type, text, at);
    }
    DocumentBuilder::Position begin_container() {
        cursor_.to_token();
        const auto at = cursor_.position();
        cursor_.past_token(base_ + stream_.Tell());
        return at;
    }

    std::string_view text_;
    const rj::MemoryStream& stream_;
    size_t base_;  // where in the text the stream begins
    Cursor& cursor_;
    DocumentBuilder& builder_;
};

std::string_view message(rj::ParseErrorCode code) {
    switch (code) {
        case rj::kParseErrorDocumentEmpty:
        case rj::kParseErrorValueInvalid:
            return "not JSON: no value begins here";
        case rj::kParseErrorObjectMissName:
            return "not JSON: an object's member must begin with its name in quotes";
        case rj::kParseErrorObjectMissColon:
            return "not JSON: a colon must follow a member's name";
        case rj::kParseErrorObjectMissCommaOrCurlyBracket:
            return "not JSON: a comma or } must follow a member";
        case rj::kParseErrorArrayMissCommaOrSquareBracket:
            return "not JSON: a comma or ] must follow an item";
        case rj::kParseErrorStringMissQuotationMark:
            return "not JSON: a string without its closing quote";
        case rj::kParseErrorStringEscapeInvalid:
        case rj::kParseErrorStringUnicodeEscapeInvalidHex:
        case rj::kParseErrorStringUnicodeSurrogateInvalid:
            return "not JSON: an escape in a string that does not exist";
        default:
            return "not JSON";
    }
}

}  // namespace

JsonEnd read_json(std::string_view text, Start start, DocumentBuilder& builder) {
    constexpr unsigned kFlags = rj::kParseStopWhenDoneFlag | rj::kParseNumbersAsStringsFlag;
    Cursor cursor(text, start);
    rj::Reader reader;
    JsonEnd end;
    while (true) {
        const size_t offset = text.find_first_not_of(" \t\r\n", cursor.offset());
        if (offset == std::string_view::npos) return end;
        cursor.to(offset);
        end.at = {offset, cursor.position().line};
        builder.begin_document();
        rj::MemoryStream stream(text.data() + offset, text.size() - offset);
        JsonEvents events(text, stream, offset, cursor, builder);
        const rj::ParseResult parsed = reader.Parse<kFlags>(stream, events);
        if (builder.failed()) return end;
        if (parsed.IsError()) {
            const size_t at = offset + parsed.Offset();
            cursor.to(at);
            // A number followed by more, such as 10.96.0.1, is a bare word too.
            const bool goes_on =
                at < text.size() &&
                std::string_view(" \t\r\n\"]}").find(text[at - 1]) == std::string_view::npos;
            end.may_be_yaml = parsed.Code() == rj::kParseErrorObjectMissName ||
                              parsed.Code() == rj::kParseErrorValueInvalid || goes_on ||
                              (at < text.size() && text[at] == '#');
            builder.fail(cursor.position(), at >= text.size()
                                                ? "not JSON: the text ends too early"
                                                : std::string(message(parsed.Code())));
            return end;
        }
        cursor.to(offset + stream.Tell());
        if (!builder.end_document()) return end;
    }
}

}  // namespace podlane::control
