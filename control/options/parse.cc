#include "control/options/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "control/document/fields.h"

namespace podlane::control {
namespace {

const OptionRow* find_name(std::span<const OptionRow> rows, std::string_view name) {
    const auto found = std::ranges::find(rows, name, &OptionRow::name);
    return found == rows.end() ? nullptr : &*found;
}

const OptionRow* find_letter(std::span<const OptionRow> rows, char letter) {
    const auto found = std::ranges::find_if(
        rows, [letter](const OptionRow& row) { return row.letter != 0 && row.letter == letter; });
    return found == rows.end() ? nullptr : &*found;
}

bool is_option(std::string_view argument) {
    return argument.size() > 1 && argument.front() == '-';
}

std::string typed(const OptionRow& row) {
    return fmt::format("--{}", row.name);
}

std::optional<uint64_t> number_of(std::string_view text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

// What is wrong with a value; empty if nothing.
std::string fault_of(const OptionRow& row, std::string_view value) {
    if (row.type == OptionType::kNumber && !number_of(value)) {
        return fmt::format("{}: {} is not a whole number", typed(row), in_quotes(value));
    }
    if (row.type == OptionType::kPort) {
        const auto number = number_of(value);
        if (!number || *number < 1 || *number > 65535) {
            return fmt::format("{}: {} is not a port (1-65535)", typed(row), value);
        }
    }
    if (row.type == OptionType::kWord) {
        const auto words = words_of(row.words);
        if (std::ranges::find(words, value) == words.end()) {
            return fmt::format("{}: {} is not {}", typed(row), in_quotes(value), any_of(words));
        }
    }
    return {};
}

/// One reading of a command line.
class Reading {
  public:
    Reading(std::span<const OptionRow> rows, std::span<const std::string> arguments)
        : rows_(rows), arguments_(arguments) {}

    Result<OptionValues> read() {
        while (at_ < arguments_.size() && wrong_.empty()) {
            const std::string& argument = arguments_[at_++];
            if (argument == "--") {
                while (at_ < arguments_.size()) values_.add_word(arguments_[at_++]);
            } else if (argument.starts_with("--")) {
                read_long(std::string_view(argument).substr(2));
            } else if (is_option(argument)) {
                read_letters(argument);
            } else {
                values_.add_word(argument);
            }
        }
        if (!wrong_.empty()) return Error{wrong_};
        return std::move(values_);
    }

  private:
    void read_long(std::string_view text) {
        const size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        const OptionRow* row = find_name(rows_, name);
        if (row == nullptr) return unknown(name);
        if (equals != std::string_view::npos) {
            take(*row, text.substr(equals + 1));
        } else {
            take_next(*row);
        }
    }
    // -w, -wA, -ojson, -o=json.
    void read_letters(std::string_view argument) {
        for (size_t i = 1; i < argument.size() && wrong_.empty(); ++i) {
            const OptionRow* row = find_letter(rows_, argument[i]);
            if (row == nullptr) {
                wrong_ = fmt::format("unknown option {}", argument.substr(0, 40));
                return;
            }
            if (!row->takes_value()) {
                take_next(*row);
                continue;
            }
            std::string_view value = argument.substr(i + 1);
            if (value.starts_with('=')) value.remove_prefix(1);
            if (value.empty()) {
                take_next(*row);
            } else {
                take(*row, value);
            }
            return;
        }
    }
    // An option whose value, if it takes one, stands behind it.
    void take_next(const OptionRow& row) {
        if (!row.takes_value()) {
            values_.add(row.name, "true");
        } else if (at_ < arguments_.size() && !is_option(arguments_[at_])) {
            take(row, arguments_[at_++]);
            while (row.type == OptionType::kTexts && at_ < arguments_.size() &&
                   !is_option(arguments_[at_])) {
                take(row, arguments_[at_++]);
            }
        } else {
            wrong_ = fmt::format("{} needs a value: {}", typed(row), option_usage(row));
        }
    }
    void take(const OptionRow& row, std::string_view value) {
        if (!row.takes_value()) {
            if (value == "true") {
                values_.add(row.name, "true");
            } else if (value != "false") {
                wrong_ = fmt::format("{}: {} is not true or false", typed(row), in_quotes(value));
            }
            return;
        }
        wrong_ = fault_of(row, value);
        if (wrong_.empty() && row.type != OptionType::kTexts && values_.has(row.name)) {
            wrong_ = fmt::format("{} is given twice", typed(row));
        }
        if (wrong_.empty()) values_.add(row.name, std::string(value));
    }
    void unknown(std::string_view name) {
        std::vector<std::string_view> names;
        for (const OptionRow& row : rows_) names.push_back(row.name);
        const std::string_view meant = closest(name, names);
        wrong_ = fmt::format("unknown option --{}{}", name.substr(0, 40),
                             meant.empty() ? "" : fmt::format("; did you mean --{}?", meant));
    }

    std::span<const OptionRow> rows_;
    std::span<const std::string> arguments_;
    size_t at_ = 0;
    OptionValues values_;
    std::string wrong_;
};

}  // namespace

std::string OptionValues::text(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : found->second.back();
}

std::vector<std::string> OptionValues::texts(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::optional<uint64_t> OptionValues::number(std::string_view name) const {
    return has(name) ? number_of(text(name)) : std::nullopt;
}

Result<OptionValues> parse_options(std::span<const OptionRow> rows,
                                   std::span<const std::string> arguments) {
    return Reading(rows, arguments).read();
}

const OptionRow* missing_option(std::span<const OptionRow> rows, const OptionValues& values) {
    const auto found = std::ranges::find_if(
        rows, [&](const OptionRow& row) { return row.is_required && !values.has(row.name); });
    return found == rows.end() ? nullptr : &*found;
}

size_t first_word(std::span<const OptionRow> rows, std::span<const std::string> arguments,
                  size_t from) {
    for (size_t at = from; at < arguments.size(); ++at) {
        const std::string_view argument = arguments[at];
        if (!is_option(argument)) return at;
        const OptionRow* row = nullptr;
        if (argument.starts_with("--")) {
            row = find_name(rows, argument.substr(2));
        } else if (argument.size() == 2) {
            row = find_letter(rows, argument[1]);
        }
        if (row != nullptr && row->takes_value()) ++at;
    }
    return arguments.size();
}

}  // namespace podlane::control
