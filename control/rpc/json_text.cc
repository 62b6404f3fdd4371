#include "control/rpc/json_text.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <cmath>
#include <string_view>

namespace podlane::control {
namespace {

// The parser takes an escaped low surrogate that stands alone (RFC 8259 section 8.2), and makes
// three bytes of it that are no UTF-8: 0xed and one from 0xa0 on.
bool has_lone_surrogate(std::string_view text) {
    for (size_t at = text.find('\xed'); at != std::string_view::npos;
         at = text.find('\xed', at + 1)) {
        if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xa0) return true;
    }
    return false;
}

// Passes the parser's events on to the document until there are too many of them.
class BoundedHandler {
  public:
    explicit BoundedHandler(rapidjson::Document& to) : to_(to) {}

    bool Null() { return count() && to_.Null(); }
    bool Bool(bool b) { return count() && to_.Bool(b); }
    bool Int(int i) { return count() && to_.Int(i); }
    bool Uint(unsigned u) { return count() && to_.Uint(u); }
    bool Int64(int64_t i) { return count() && to_.Int64(i); }
    bool Uint64(uint64_t u) { return count() && to_.Uint64(u); }
    bool Double(double d) { return count() && check(d) && to_.Double(d); }
    bool RawNumber(const char* s, rapidjson::SizeType n, bool copy) {
        return count() && to_.RawNumber(s, n, copy);
    }
    bool String(const char* s, rapidjson::SizeType n, bool copy) {
        return count() && check({s, n}) && to_.String(s, n, copy);
    }
    bool Key(const char* s, rapidjson::SizeType n, bool copy) {
        return count() && check({s, n}) && to_.Key(s, n, copy);
    }
    bool StartObject() { return enter() && to_.StartObject(); }
    bool StartArray() { return enter() && to_.StartArray(); }
    bool EndObject(rapidjson::SizeType members) {
        --depth_;
        return to_.EndObject(members);
    }
    bool EndArray(rapidjson::SizeType elements) {
        --depth_;
        return to_.EndArray(elements);
    }
    /// What the parser took and JSON does not have; nothing if it found no such thing.
    [[nodiscard]] std::string_view fault() const { return fault_; }

  private:
    bool count() { return ++values_ <= kMaxJsonValues; }
    bool enter() { return ++depth_ <= kMaxJsonDepth && count(); }

    bool check(std::string_view text) {
        if (has_lone_surrogate(text)) fault_ = "a surrogate that stands alone";
        return fault_.empty();
    }

    // Of digits before a large exponent, as in 123.4e307, the parser makes infinity.
    bool check(double number) {
        if (!std::isfinite(number)) fault_ = "a number too big to be stored in double";
        return fault_.empty();
    }

    rapidjson::Document& to_;
    std::string_view fault_;
    size_t values_ = 0;
    size_t depth_ = 0;
};

}  // namespace

std::optional<RpcFailure> parse_in_place(std::string& message, rapidjson::Document& document) {
    // Iterative: the parser's own stack would otherwise grow with the nesting before we see it.
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag;
    // A UTF-8 sequence that is cut off at the end is read to its full length before it is refused.
    constexpr size_t kLongestSequence = 4;
    const size_t text_bytes = message.size();
    message.append(kLongestSequence, '\0');
    rapidjson::Reader reader;
    rapidjson::ParseResult parsed;
    size_t consumed = 0;
    std::string_view fault;
    auto generate = [&](rapidjson::Document& to) {
        BoundedHandler handler(to);
        rapidjson::InsituStringStream stream(message.data());
        parsed = reader.Parse<kFlags>(stream, handler);
        consumed = stream.Tell();
        fault = handler.fault();
        return !parsed.IsError();
    };
    document.Populate(generate);
    message.resize(text_bytes);
    const auto no_json = [](std::string_view what, size_t at) {
        return RpcFailure{rpc_code::kParseError, fmt::format("no JSON: {} (at byte {})", what, at),
                          nullptr};
    };
    if (!fault.empty()) return no_json(fault, parsed.Offset());
    if (parsed.Code() == rapidjson::kParseErrorTermination) {
        return RpcFailure{rpc_code::kInvalidRequest,
                          fmt::format("over the limit of {} values or {} levels of nesting",
                                      kMaxJsonValues, kMaxJsonDepth),
                          nullptr};
    }
    if (parsed.IsError()) {
        return no_json(rapidjson::GetParseError_En(parsed.Code()), parsed.Offset());
    }
    // The parser takes a NUL byte for the end of the text.
    if (consumed != text_bytes) return no_json("a NUL byte", consumed);
    return std::nullopt;
}

}  // namespace podlane::control
