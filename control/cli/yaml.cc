#include "control/cli/yaml.h"
#include "lib/base/printable.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

// YAML 1.1 reads unquoted words such as "no" as booleans, and much that begins with a digit, a sign
// or a dot as numbers or times ("22:30", "0x1f", "1_000").
bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    const auto first = static_cast<unsigned char>(text.front());
    if (std::isdigit(first) != 0 || first == '+' || first == '-' || first == '.') return true;
    constexpr std::array<std::string_view, 10> kWords{"y",   "n",    "yes",   "no",   "on",
                                                      "off", "true", "false", "null", "~"};
    std::string lower(text.substr(0, 8));
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text.size() <= 8 && std::ranges::find(kWords, lower) != kWords.end();
}

void emit(YAML::Emitter& out, const Json& value) {
    if (value.is_object()) {
        if (value.empty()) out << YAML::Flow;
        out << YAML::BeginMap;
        for (const auto& [key, member] : value.items()) {
            out << YAML::Key;
            if (needs_quotes(key) || !is_printable(key)) out << YAML::DoubleQuoted;
            out << key << YAML::Value;
            emit(out, member);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        if (value.empty()) out << YAML::Flow;
        out << YAML::BeginSeq;
        for (const Json& element : value) emit(out, element);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (needs_quotes(text) || !is_printable(text)) out << YAML::DoubleQuoted;
        out << text;
    } else if (value.is_null()) {
        out << YAML::Null;
    } else {
        out << value.dump();
    }
}

}  // namespace

std::string to_yaml(const Json& value) {
    YAML::Emitter out;
    emit(out, value);
    return printable_json(out.c_str()) + '\n';
}

}  // namespace podlane::control
