#include "control/cli/selector.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "control/cli/cell.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

using Operator = LabelExpression::Operator;

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// The parts between commas outside parentheses.
std::vector<std::string_view> parts_of(std::string_view text) {
    std::vector<std::string_view> parts;
    size_t begin = 0;
    int depth = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '(') ++depth;
        if (text[at] == ')') --depth;
        if (text[at] != ',' || depth > 0) continue;
        parts.push_back(trimmed(text.substr(begin, at - begin)));
        begin = at + 1;
    }
    parts.push_back(trimmed(text.substr(begin)));
    return parts;
}

bool is_label_text(std::string_view text, bool is_key) {
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_plain && !(is_key && c == '/')) return false;
    }
    return !is_key || !text.empty();
}

// "key in (a,b)" and "key notin (a,b)".
bool read_set(std::string_view part, LabelExpression& to) {
    const size_t open = part.find('(');
    if (open == std::string_view::npos || !part.ends_with(')')) return false;
    std::string_view head = trimmed(part.substr(0, open));
    const size_t blank = head.rfind(' ');
    if (blank == std::string_view::npos) return false;
    const std::string_view word = head.substr(blank + 1);
    if (word != "in" && word != "notin") return false;
    to.op = word == "in" ? Operator::kIn : Operator::kNotIn;
    to.key = trimmed(head.substr(0, blank));
    for (const std::string_view value : parts_of(part.substr(open + 1, part.size() - open - 2))) {
        if (!is_label_text(value, false)) return false;
        to.values.emplace_back(value);
    }
    return is_label_text(to.key, true);
}

// "key=value", "key==value", "key!=value", "key", "!key".
bool read_plain(std::string_view part, LabelExpression& to) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
        const bool is_absent = part.starts_with('!');
        to.op = is_absent ? Operator::kDoesNotExist : Operator::kExists;
        to.key = trimmed(is_absent ? part.substr(1) : part);
        return is_label_text(to.key, true);
    }
    std::string_view key = part.substr(0, equals);
    std::string_view value = part.substr(equals + 1);
    to.op = Operator::kIn;
    if (key.ends_with('!')) {
        to.op = Operator::kNotIn;
        key.remove_suffix(1);
    } else if (value.starts_with('=')) {
        value.remove_prefix(1);
    }
    to.key = trimmed(key);
    value = trimmed(value);
    to.values.emplace_back(value);
    return is_label_text(to.key, true) && is_label_text(value, false);
}

}  // namespace

Result<LabelSelector> parse_selector(std::string_view text) {
    LabelSelector selector;
    for (const std::string_view part : parts_of(text)) {
        LabelExpression expression;
        if (!read_set(part, expression)) {
            expression = {};
            if (!read_plain(part, expression)) {
                return Error{fmt::format(
                    "{} is no label selector such as app=web, app!=web, app in (a,b), app, !app",
                    in_quotes(part))};
            }
        }
        selector.match_expressions.push_back(std::move(expression));
    }
    return selector;
}

bool is_selected(const LabelSelector& selector, const nlohmann::ordered_json& object) {
    Labels labels;
    const auto& given = at(object, "/metadata/labels");
    if (given.is_object()) {
        for (const auto& [key, value] : given.items()) {
            if (value.is_string()) labels[key] = value.get<std::string>();
        }
    }
    return selector.matches(labels);
}

}  // namespace podlane::control
