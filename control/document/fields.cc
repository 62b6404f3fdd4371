#include "control/document/fields.h"
#include "lib/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace podlane::control {

namespace {

constexpr size_t kShownBytes = 60;

bool find_path(const Value& from, const Value& to, std::string& path) {
    if (&from == &to) return true;
    const size_t length = path.size();
    size_t index = 0;
    for (const Value& item : from.items()) {
        path += fmt::format("[{}]", index++);
        if (find_path(item, to, path)) return true;
        path.resize(length);
    }
    for (const Member& member : from.members()) {
        if (!path.empty()) path += '.';
        path += member.key.text().substr(0, kShownBytes);
        if (&member.key == &to || find_path(member.value, to, path)) return true;
        path.resize(length);
    }
    return false;
}

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 0; i < a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.size(); ++j) {
            const bool same = (a[i] | 0x20) == (b[j] | 0x20);
            const size_t best = std::min({row[j] + 1, row[j + 1] + 1, diagonal + (same ? 0 : 1)});
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row.back();
}

/// Names and keys are user input; a line break in one must not split the message.
std::string one_line(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
    return text;
}

}  // namespace

void Problems::enter(const Value& root, std::string subject) {
    root_ = &root;
    subject_ = std::move(subject);
}

std::string Problems::path_of(const Value& at) const {
    std::string path;
    if (root_ != nullptr && !find_path(*root_, at, path)) path.clear();
    return path;
}

void Problems::add(const Value& at, std::string_view what) {
    if (!full()) add_at(at, path_of(at), what);
}

void Problems::add_missing(const Value& mapping, std::string_view key, std::string_view what) {
    if (full()) return;
    std::string path = path_of(mapping);
    if (!path.empty()) path += '.';
    add_at(mapping, path.append(key), what);
}

void Problems::warn(const Value& at, std::string_view what) {
    if (warnings_.size() < most_) warnings_.push_back(text_of(at, path_of(at), what));
}

std::string Problems::text_of(const Value& at, const std::string& path,
                              std::string_view what) const {
    // A message's parameters have no file, and are all on one line.
    std::string message =
        document_.empty() ? "" : fmt::format("{}:{}:{}: ", document_, at.line(), at.column());
    if (!subject_.empty()) message += one_line(subject_) + ": ";
    const std::string line = one_line(path);
    if (!line.empty()) message += line + ": ";
    message += what;
    return message;
}

void Problems::add_at(const Value& at, const std::string& path, std::string_view what) {
    errors_.push_back(
        {text_of(at, path, what), document_, static_cast<int>(at.line()), one_line(path)});
}

std::string in_quotes(std::string_view text) {
    // Do not cut inside a character.
    size_t size = std::min(text.size(), kShownBytes);
    while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
    return '"' + printable(text.substr(0, size)) + (size < text.size() ? "...\"" : "\"");
}

std::string shown(const Value& value) {
    switch (value.type()) {
        case ValueType::kNull:
            return "null";
        case ValueType::kSequence:
            return "a list";
        case ValueType::kMapping:
            return "a mapping";
        case ValueType::kString:
            return in_quotes(value.text());
        case ValueType::kBool:
        case ValueType::kInteger:
        case ValueType::kNumber:
            break;
    }
    return std::string(value.text().substr(0, kShownBytes));
}

std::string_view closest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > kShownBytes) return {};
    std::string_view best;
    size_t least = std::max<size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const size_t distance = edit_distance(word, candidate);
        if (distance >= least) continue;
        least = distance;
        best = candidate;
    }
    return best;
}

std::string any_of(std::span<const std::string_view> words) {
    std::string out;
    for (size_t i = 0; i < words.size(); ++i) {
        if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

std::optional<std::string_view> as_string(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString)) return value.text();
    const bool is_scalar = value.type() < ValueType::kSequence;
    problems.add(value, fmt::format("{} is not a string{}", shown(value),
                                    is_scalar ? " (put it in quotes)" : ""));
    return std::nullopt;
}

std::optional<bool> as_bool(const Value& value, Problems& problems) {
    if (value.is(ValueType::kBool)) return value.text() == "true";
    problems.add(value, fmt::format("{} is not true or false", shown(value)));
    return std::nullopt;
}

std::optional<int64_t> as_integer(const Value& value, const IntegerRange& range,
                                  Problems& problems) {
    if (value.is(ValueType::kInteger)) {
        const std::string_view text = value.text();
        int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc{} && end == text.data() + text.size() && number >= range.lowest &&
            number <= range.highest) {
            return number;
        }
    }
    problems.add(value, fmt::format("{} is not {} ({}-{})", shown(value), range.what, range.lowest,
                                    range.highest));
    return std::nullopt;
}

std::optional<IpAddress> as_ip(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString)) {
        if (auto ip = parse_ip(value.text())) return ip;
    }
    problems.add(value, fmt::format("{} is not an IP address", shown(value)));
    return std::nullopt;
}

std::optional<IpPrefix> as_prefix(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString)) {
        if (auto prefix = parse_prefix(value.text())) return prefix;
        if (const auto address = parse_interface_address(value.text())) {
            problems.add(value,
                         fmt::format("{} has bits set behind its prefix length; meant is {}?",
                                     shown(value), to_string(address->subnet())));
            return std::nullopt;
        }
    }
    problems.add(value,
                 fmt::format("{} is not an address prefix such as 10.244.1.0/24", shown(value)));
    return std::nullopt;
}

std::optional<InterfaceAddress> as_interface_address(const Value& value, Problems& problems) {
    if (value.is(ValueType::kString)) {
        if (auto address = parse_interface_address(value.text())) return address;
    }
    problems.add(value, fmt::format("{} is not an address with a prefix length such as "
                                    "192.168.50.1/24",
                                    shown(value)));
    return std::nullopt;
}

std::optional<MacAddress> as_mac(const Value& value, Problems& problems) {
    std::string_view wrong = "is not a MAC address such as 02:42:ac:11:00:02";
    if (value.is(ValueType::kString)) {
        const auto mac = parse_mac(value.text());
        if (mac && !mac->is_multicast() && !mac->is_zero()) return mac;
        if (mac) wrong = "is not a unicast MAC address";
    }
    problems.add(value, fmt::format("{} {}", shown(value), wrong));
    return std::nullopt;
}

std::span<const Value> as_list(const Value& value, Problems& problems) {
    if (!value.is(ValueType::kSequence)) {
        problems.add(value, fmt::format("{} is not a list", shown(value)));
    }
    return value.items();
}

Fields::Fields(const Value* value, Problems& problems, Keys keys)
    : problems_(problems), keys_(keys) {
    if (value == nullptr || (value->is_null() && keys == Keys::kLax)) return;
    if (value->is(ValueType::kMapping)) {
        mapping_ = value;
    } else {
        problems.add(*value, fmt::format("{} is not a mapping", shown(*value)));
    }
}

const Value* Fields::get(std::string_view key) {
    if (mapping_ == nullptr) return nullptr;
    if (keys_ == Keys::kStrict) asked_.push_back(key);
    const Value* value = mapping_->find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

const Value* Fields::require(std::string_view key, std::string_view what) {
    const Value* value = get(key);
    if (value == nullptr && mapping_ != nullptr) {
        problems_.add_missing(*mapping_, key, fmt::format("missing: {}", what));
    }
    return value;
}

std::string Fields::string(std::string_view key, std::string_view otherwise) {
    const Value* value = get(key);
    if (value == nullptr) return std::string(otherwise);
    return std::string(as_string(*value, problems_).value_or(otherwise));
}

bool Fields::boolean(std::string_view key, bool otherwise) {
    const Value* value = get(key);
    return value == nullptr ? otherwise : as_bool(*value, problems_).value_or(otherwise);
}

std::optional<IpAddress> Fields::ip(std::string_view key) {
    const Value* value = get(key);
    return value == nullptr ? std::nullopt : as_ip(*value, problems_);
}

std::span<const Value> Fields::list(std::string_view key) {
    const Value* value = get(key);
    return value == nullptr ? std::span<const Value>{} : as_list(*value, problems_);
}

void Fields::finish() {
    if (mapping_ == nullptr || keys_ == Keys::kLax) return;
    for (const Member& member : mapping_->members()) {
        const std::string_view key = member.key.text();
        if (std::ranges::find(asked_, key) != asked_.end()) continue;
        const std::string_view near = closest(key, asked_);
        problems_.add(member.key, near.empty()
                                      ? std::string("unknown key")
                                      : fmt::format("unknown key; did you mean {}?", near));
    }
}

}  // namespace podlane::control
