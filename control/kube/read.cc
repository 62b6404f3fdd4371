#include "control/kube/read.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "control/document/names.h"
#include "control/kube/address.h"

namespace podlane::control {

namespace {

constexpr auto kOperators = std::to_array<Word<LabelExpression::Operator>>(
    {{"In", LabelExpression::Operator::kIn},
     {"NotIn", LabelExpression::Operator::kNotIn},
     {"Exists", LabelExpression::Operator::kExists},
     {"DoesNotExist", LabelExpression::Operator::kDoesNotExist}});

std::optional<std::string> read_label_value(const Value& value, Problems& problems) {
    if (value.is_null()) return std::string();  // as the API server does
    const auto text = as_string(value, problems);
    if (!text) return std::nullopt;
    if (!is_label_value(*text)) {
        problems.add(value, fmt::format("{} is not a label's value (at most 63 letters, digits, "
                                        "- _ . between letters or digits)",
                                        shown(value)));
        return std::nullopt;
    }
    return std::string(*text);
}

bool check_label_key(const Value& key, Problems& problems) {
    if (is_label_key(key.text())) return true;
    problems.add(key, fmt::format("{} is not a label's key ([PREFIX/]NAME)", shown(key)));
    return false;
}

LabelExpression read_expression(const Value& value, Problems& problems) {
    LabelExpression expression;
    Fields fields(&value, problems, Keys::kLax);
    if (const Value* key = fields.require("key", "the label's key")) {
        if (const auto text = as_string(*key, problems)) expression.key = *text;
        check_label_key(*key, problems);
    }
    fields.require("operator", "In, NotIn, Exists or DoesNotExist");
    expression.op = fields.word("operator", kOperators, LabelExpression::Operator::kExists);
    for (const Value& item : fields.list("values")) {
        // Policies from before Kubernetes 1.27 may contain values that no label can have.
        if (const auto text = as_string(item, problems)) expression.values.emplace_back(*text);
    }
    const bool wants_values = expression.op == LabelExpression::Operator::kIn ||
                              expression.op == LabelExpression::Operator::kNotIn;
    const Value* values = fields.get("values");
    const bool has_values = values != nullptr && !values->items().empty();
    if (wants_values && !has_values && fields) {
        problems.add_missing(value, "values", "missing: In and NotIn need at least one");
    } else if (!wants_values && has_values) {
        problems.add(*values, "Exists and DoesNotExist take no values");
    }
    return expression;
}

}  // namespace

Labels read_labels(const Value* value, Problems& problems) {
    Labels labels;
    const Fields fields(value, problems, Keys::kLax);
    if (!fields) return labels;
    for (const Member& member : fields.value().members()) {
        if (!check_label_key(member.key, problems)) continue;
        if (auto text = read_label_value(member.value, problems)) {
            labels.emplace(member.key.text(), std::move(*text));
        }
    }
    return labels;
}

LabelSelector read_selector(const Value& value, Problems& problems) {
    LabelSelector selector;
    Fields fields(&value, problems, Keys::kLax);
    selector.match_labels = read_labels(fields.get("matchLabels"), problems);
    for (const Value& item : fields.list("matchExpressions")) {
        selector.match_expressions.push_back(read_expression(item, problems));
    }
    return selector;
}

std::optional<PortRef> read_port_ref(const Value& value, Problems& problems) {
    if (!value.is(ValueType::kString)) {
        const auto number = as_integer(value, kPortNumbers, problems);
        if (!number) return std::nullopt;
        return PortRef{static_cast<uint16_t>(*number), {}};
    }
    if (is_port_name(value.text())) return PortRef{0, std::string(value.text())};
    problems.add(value, fmt::format("{} is not a port's name (at most 15 of a-z 0-9 -, one letter "
                                    "at least) or number (1-65535)",
                                    shown(value)));
    return std::nullopt;
}

std::string read_name(Fields& fields, std::string_view key,
                      bool (*is_valid)(std::string_view) noexcept, std::string_view what) {
    const Value* value = fields.get(key);
    if (value == nullptr) return {};
    const auto text = as_string(*value, fields.problems());
    if (!text || text->empty()) return {};
    if (is_valid(*text)) return std::string(*text);
    fields.problems().add(*value, fmt::format("{} is not {}", shown(*value), what));
    return {};
}

std::optional<IpAddress> read_ip(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString)) {
        if (auto ip = parse_ip_sloppily(value.text())) return ip;
    }
    problems.add(value, fmt::format("{} is not an IP address", shown(value)));
    return std::nullopt;
}

std::optional<IpPrefix> read_cidr(const Value& value, Problems& problems, bool trim) {
    std::string_view text = value.text();
    const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    while (trim && !text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (trim && !text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (value.is(ValueType::kString)) {
        if (auto cidr = parse_cidr_sloppily(text)) return cidr;
    }
    problems.add(value, fmt::format("{} is not an address with a prefix length such as "
                                    "10.244.1.0/24",
                                    shown(value)));
    return std::nullopt;
}

std::string_view why_unusable(const IpAddress& ip) noexcept {
    const auto kind = [](const auto& address) -> std::string_view {
        if (address.is_zero()) return "unspecified";
        if (address.is_loopback()) return "a loopback address";
        if (address.is_link_local()) return "link-local";
        if (address.is_multicast()) return "multicast";
        return {};
    };
    return ip.is_v4() ? kind(ip.as<V4>()) : kind(ip.as<V6>());
}

std::optional<IpAddress> read_usable_ip(const Value& value, Problems& problems) {
    const auto ip = read_ip(value, problems);
    if (!ip) return std::nullopt;
    const std::string_view wrong = why_unusable(*ip);
    if (wrong.empty()) return ip;
    const bool is_link_local_group =
        ip->is_v4() ? (ip->as<V4>().value.host() >> 8) == 0xe00000
                    : ip->as<V6>().bytes[0] == 0xff && (ip->as<V6>().bytes[1] & 0x0f) == 2;
    if (wrong == "multicast" && !is_link_local_group) {
        problems.warn(value, fmt::format("{} is multicast; it is passed over", shown(value)));
        return std::nullopt;
    }
    problems.add(value, fmt::format("{} is {}, which cannot be used here", shown(value), wrong));
    return std::nullopt;
}

int64_t read_created(Fields& metadata, Problems& problems) {
    constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
    const Value* value = metadata.get("creationTimestamp");
    if (value == nullptr || value->text().empty()) return 0;
    const std::string_view text = value->text();
    const auto fits = [](char c, char form) {
        return form == '0' ? c >= '0' && c <= '9' : c == form;
    };
    const auto number = [&](size_t at, size_t digits) {
        int out = 0;
        for (const char c : text.substr(at, digits)) out = out * 10 + (c - '0');
        return out;
    };
    if (std::ranges::equal(text, kForm, fits)) {
        namespace ch = std::chrono;
        const ch::year_month_day day{ch::year(number(0, 4)),
                                     ch::month(static_cast<unsigned>(number(5, 2))),
                                     ch::day(static_cast<unsigned>(number(8, 2)))};
        if (day.ok()) {
            const auto time = ch::sys_days(day) + ch::hours(number(11, 2)) +
                              ch::minutes(number(14, 2)) + ch::seconds(number(17, 2));
            return ch::duration_cast<ch::seconds>(time.time_since_epoch()).count();
        }
    }
    problems.warn(*value, fmt::format("{} is not a time such as 2026-01-31T12:00:00Z; the object "
                                      "counts as the youngest",
                                      shown(*value)));
    return 0;
}

const Value* find_annotation(const Value& root, std::string_view key) {
    const Value* metadata = root.find("metadata");
    const Value* annotations = metadata == nullptr ? nullptr : metadata->find("annotations");
    const Value* value = annotations == nullptr ? nullptr : annotations->find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace podlane::control
