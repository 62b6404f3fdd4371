#include "control/document/message.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <cmath>
#include <cstdlib>

#include "control/document/builder.h"

namespace podlane::control {
namespace {

namespace rj = rapidjson;

// The parser accepts an escaped lone low surrogate (RFC 8259 section 8.2) and turns it into three
// bytes that are not UTF-8: 0xed, then one from 0xa0 on.
bool has_lone_surrogate(std::string_view text) {
    for (size_t at = text.find('\xed'); at != std::string_view::npos;
         at = text.find('\xed', at + 1)) {
        if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xa0) return true;
    }
    return false;
}

// Passes the parser's events to the tree until there are too many.
class MessageEvents {
  public:
    MessageEvents(const char* text, rj::InsituStringStream& stream, DocumentBuilder& builder)
        : text_(text), stream_(stream), builder_(builder) {}

    // Method names as RapidJSON requires.
    bool Null() { return scalar(ValueType::kNull, {}); }
    bool Bool(bool value) { return scalar(ValueType::kBool, value ? "true" : "false"); }
    bool RawNumber(const char* /*unsure*/, rj::SizeType size, bool /*copy*/) {
        // The parser reads the number from a copy of the stream, so ours is still at its start.
        const std::string_view number(text_ + stream_.Tell(), size);
        const bool is_integer = number.find_first_of(".eE") == std::string_view::npos;
        if (!is_integer && !std::isfinite(std::strtod(std::string(number).c_str(), nullptr))) {
            fault_ = "a number too big to be stored in double";
            return false;
        }
        return scalar(is_integer ? ValueType::kInteger : ValueType::kNumber, number);
    }
    bool String(const char* data, rj::SizeType size, bool /*copy*/) {
        const std::string_view text(data, size);
        if (has_lone_surrogate(text)) {
            fault_ = "a surrogate that stands alone";
            return false;
        }
        return scalar(ValueType::kString, text);
    }
    bool Key(const char* data, rj::SizeType size, bool copy) { return String(data, size, copy); }
    bool StartObject() { return enter() && builder_.begin_mapping(position()); }
    bool StartArray() { return enter() && builder_.begin_sequence(position()); }
    bool EndObject(rj::SizeType /*members*/) { return leave(); }
    bool EndArray(rj::SizeType /*items*/) { return leave(); }
    // Never called: numbers are asked for as text.
    bool Int(int /*value*/) { return false; }
    bool Uint(unsigned /*value*/) { return false; }
    bool Int64(int64_t /*value*/) { return false; }
    bool Uint64(uint64_t /*value*/) { return false; }
    bool Double(double /*value*/) { return false; }

    /// Something the parser accepted that is not valid JSON; empty if there is none.
    [[nodiscard]] std::string_view fault() const noexcept { return fault_; }

  private:
    bool scalar(ValueType type, std::string_view text) {
        return ++values_ <= kMaxMessageValues && builder_.scalar(type, text, position());
    }
    bool enter() { return ++depth_ <= kMaxMessageDepth && ++values_ <= kMaxMessageValues; }
    bool leave() {
        --depth_;
        return builder_.end_container();
    }
    [[nodiscard]] DocumentBuilder::Position position() const {
        return {1, static_cast<uint32_t>(stream_.Tell() + 1)};
    }

    const char* text_;
    rj::InsituStringStream& stream_;  // not const, because Tell() is not
    DocumentBuilder& builder_;
    std::string_view fault_;
    size_t values_ = 0;
    size_t depth_ = 0;
};

}  // namespace

Message read_message(std::string& text, Arena& arena) {
    // Iterative: the parser's own stack would otherwise grow with the nesting before we see it.
    constexpr unsigned kFlags = rj::kParseInsituFlag | rj::kParseIterativeFlag |
                                rj::kParseValidateEncodingFlag | rj::kParseNumbersAsStringsFlag;
    // The parser reads a truncated UTF-8 sequence at the end to its full length before refusing it.
    constexpr size_t kLongestSequence = 4;
    const size_t text_bytes = text.size();
    text.append(kLongestSequence, '\0');
    Message message;
    DocumentHandler handler;
    handler.on_document = [&message](const Document& document) {
        message.root = document.root;
        return true;
    };
    DocumentBuilder builder("message", handler, arena);
    builder.begin_document();
    rj::InsituStringStream stream(text.data());
    MessageEvents events(text.data(), stream, builder);
    rj::Reader reader;
    const rj::ParseResult parsed = reader.Parse<kFlags>(stream, events);
    const size_t consumed = stream.Tell();
    text.resize(text_bytes);
    const auto no_json = [&message](std::string_view what, size_t at) {
        message.fault = MessageFault::kNoJson;
        message.what = fmt::format("no JSON: {} (at byte {})", what, at);
        return message;
    };
    if (!events.fault().empty()) return no_json(events.fault(), parsed.Offset());
    if (builder.failed()) return no_json(builder.error().message, parsed.Offset());
    if (parsed.Code() == rj::kParseErrorTermination) {
        message.fault = MessageFault::kOverLimit;
        message.what = fmt::format("over the limit of {} values or {} levels of nesting",
                                   kMaxMessageValues, kMaxMessageDepth);
        return message;
    }
    if (parsed.IsError()) return no_json(rj::GetParseError_En(parsed.Code()), parsed.Offset());
    // The parser takes a NUL byte as the end of the text.
    if (consumed != text_bytes) return no_json("a NUL byte", consumed);
    static_cast<void>(builder.end_document());
    return message;
}

}  // namespace podlane::control
