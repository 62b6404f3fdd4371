#include "control/options/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <utility>

#include "control/document/fields.h"

namespace podlane::control {
namespace {

namespace po = boost::program_options;

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

// Returns what is wrong with a value; empty if it is valid.
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

/// The table in the form that the library wants.
po::options_description description_of(std::span<const OptionRow> rows) {
    po::options_description all;
    for (const OptionRow& row : rows) {
        std::string names(row.name);
        if (row.letter != 0) names += fmt::format(",{}", row.letter);
        if (!row.takes_value()) {
            all.add_options()(names.c_str(), "");
            continue;
        }
        auto* const values = po::value<std::vector<std::string>>();
        if (row.type == OptionType::kTexts) values->multitoken();
        all.add_options()(names.c_str(), values, "");
    }
    return all;
}

/// One reading of a command line.
class Reading {
  public:
    explicit Reading(std::span<const OptionRow> rows) : rows_(rows) {}

    Result<OptionValues> read(std::span<const std::string> arguments) {
        const auto end = std::ranges::find(arguments, "--");
        std::vector<std::string> own;
        for (auto at = arguments.begin(); at != end && wrong_.empty(); ++at) {
            if (!is_set_flag(*at)) own.push_back(*at);
        }
        if (wrong_.empty()) parse(own);
        if (!wrong_.empty()) return Error{wrong_};
        if (end != arguments.end()) {
            for (auto at = end + 1; at != arguments.end(); ++at) values_.add_word(*at);
        }
        return std::move(values_);
    }

  private:
    // --watch=true, --watch=false: the library does not allow a value for a flag.
    bool is_set_flag(std::string_view argument) {
        const size_t equals = argument.find('=');
        if (!argument.starts_with("--") || equals == std::string_view::npos) return false;
        const OptionRow* row = find_name(rows_, argument.substr(2, equals - 2));
        if (row == nullptr || row->takes_value()) return false;
        const std::string_view value = argument.substr(equals + 1);
        if (value == "true") {
            values_.add(row->name, "true");
        } else if (value != "false") {
            wrong_ = fmt::format("{}: {} is not true or false", typed(*row), in_quotes(value));
        }
        return true;
    }
    void parse(const std::vector<std::string>& arguments) {
        using namespace po::command_line_style;
        try {
            const po::options_description known = description_of(rows_);
            const auto parsed = po::command_line_parser(arguments)
                                    .options(known)
                                    .style(unix_style & ~allow_guessing)
                                    .run();
            for (const auto& option : parsed.options) {
                if (wrong_.empty()) take_all(option);
            }
        } catch (const po::unknown_option& error) {
            unknown(error.get_option_name());
        } catch (const po::error_with_option_name& error) {
            needs_value(row_of(error.get_option_name()));
        }
    }
    void take_all(const po::basic_option<char>& option) {
        if (option.string_key.empty()) {
            for (const std::string& word : option.value) values_.add_word(word);
            return;
        }
        const OptionRow& row = row_of(option.string_key);
        if (!row.takes_value()) return values_.add(row.name, "true");
        const bool is_joined = option.original_tokens.size() == option.value.size();
        for (size_t i = 0; i < option.value.size() && wrong_.empty(); ++i) {
            std::string_view value = option.value[i];
            // A word that looks like an option is not a value, unless it is joined to the option's
            // name.
            if (!(is_joined && i == 0) && is_option(value)) return needs_value(row);
            // -o=json.
            if (is_joined && i == 0 && !option.original_tokens[0].starts_with("--") &&
                value.starts_with('=')) {
                value.remove_prefix(1);
            }
            take(row, value);
        }
    }
    const OptionRow& row_of(std::string_view key) const {
        key.remove_prefix(std::min(key.find_first_not_of('-'), key.size()));
        const OptionRow* row = find_name(rows_, key);
        if (row == nullptr && key.size() == 1) row = find_letter(rows_, key[0]);
        return row != nullptr ? *row : rows_.front();
    }
    void needs_value(const OptionRow& row) {
        wrong_ = fmt::format("{} needs a value: {}", typed(row), option_usage(row));
    }
    void take(const OptionRow& row, std::string_view value) {
        wrong_ = fault_of(row, value);
        if (wrong_.empty() && row.type != OptionType::kTexts && row.type != OptionType::kRepeated &&
            values_.has(row.name)) {
            wrong_ = fmt::format("{} is given twice", typed(row));
        }
        if (wrong_.empty()) values_.add(row.name, std::string(value));
    }
    void unknown(std::string_view option) {
        const std::string_view name =
            option.substr(std::min(option.find_first_not_of('-'), option.size()));
        std::vector<std::string_view> names;
        for (const OptionRow& row : rows_) names.push_back(row.name);
        const std::string_view meant = option.starts_with("--") ? closest(name, names) : "";
        wrong_ = fmt::format("unknown option {}{}", option.substr(0, 42),
                             meant.empty() ? "" : fmt::format("; did you mean --{}?", meant));
    }

    std::span<const OptionRow> rows_;
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
    return Reading(rows).read(arguments);
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
