#include "control/document/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace podlane::control {

namespace {

constexpr auto kTrue = std::to_array<std::string_view>(
    {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"});
constexpr auto kFalse = std::to_array<std::string_view>(
    {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"});
constexpr auto kNull = std::to_array<std::string_view>({"", "~", "null", "Null", "NULL"});
constexpr auto kSpecialNumbers =
    std::to_array<std::string_view>({".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf",
                                     "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"});

template <size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
    return std::ranges::find(words, text) != words.end();
}

/// Removes the prefix that names a base from `digits`.
int take_base(std::string_view& digits) {
    if (digits.size() < 2 || digits[0] != '0') return 10;
    const char mark = static_cast<char>(digits[1] | 0x20);
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    digits.remove_prefix(base != 0 ? 2 : 1);
    return base != 0 ? base : 8;  // 0777 is octal in YAML 1.1
}

/// The value in decimal, if `plain` is an integer in any notation and fits 64 bits.
std::optional<std::string> as_integer(std::string_view plain) {
    const bool negative = plain.starts_with('-');
    if (negative || plain.starts_with('+')) plain.remove_prefix(1);
    const int base = take_base(plain);
    uint64_t number = 0;
    const char* end = plain.data() + plain.size();
    const auto [stop, error] = std::from_chars(plain.data(), end, number, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    if (negative && number > uint64_t{1} << 63) return std::nullopt;
    return (negative && number != 0 ? "-" : "") + std::to_string(number);
}

size_t count_digits(std::string_view& text) {
    const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
}

/// [-+]? ( .digits | digits[.digits?] ) ( [eE][-+]?digits )?
bool is_number(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const size_t before = count_digits(text);
    size_t after = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        after = count_digits(text);
    }
    if (before + after == 0) return false;
    if (!text.empty() && (text[0] | 0x20) == 'e') {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (count_digits(text) == 0) return false;
    }
    return text.empty();
}

YamlScalar resolve_plain(std::string_view text) {
    if (is_one_of(text, kNull)) return {ValueType::kNull, {}};
    if (is_one_of(text, kTrue)) return {ValueType::kBool, "true"};
    if (is_one_of(text, kFalse)) return {ValueType::kBool, "false"};
    if (is_one_of(text, kSpecialNumbers)) return {ValueType::kNumber, std::string(text)};
    const bool may_be_number =
        (text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '+' || text[0] == '.';
    if (may_be_number) {
        std::string plain(text);
        std::erase(plain, '_');
        if (auto integer = as_integer(plain)) return {ValueType::kInteger, std::move(*integer)};
        if (is_number(plain)) return {ValueType::kNumber, std::move(plain)};
    }
    return {ValueType::kString, std::string(text)};
}

}  // namespace

std::optional<YamlScalar> resolve_yaml_scalar(std::string_view tag, std::string_view text) {
    constexpr std::string_view kYamlTag = "tag:yaml.org,2002:";
    if (tag == "!") return YamlScalar{ValueType::kString, std::string(text)};
    if (tag.empty() || tag == "?") return resolve_plain(text);
    if (!tag.starts_with(kYamlTag)) return std::nullopt;
    tag.remove_prefix(kYamlTag.size());
    if (tag == "str") return YamlScalar{ValueType::kString, std::string(text)};
    YamlScalar plain = resolve_plain(text);
    const bool fits =
        (tag == "int" && plain.type == ValueType::kInteger) ||
        (tag == "bool" && plain.type == ValueType::kBool) ||
        (tag == "null" && plain.type == ValueType::kNull) ||
        (tag == "float" && (plain.type == ValueType::kNumber || plain.type == ValueType::kInteger));
    if (!fits) return std::nullopt;
    return plain;
}

}  // namespace podlane::control
