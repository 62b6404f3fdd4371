// Reads a command line by its table of options.
//
// podlanectl and podlaned call it at their start. Forms: `--name value`, `--name=value`, `-n
// value`,
// `-nvalue`, `-n=value`, flags together (`-wA`), `--` before words that begin with a dash.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/options/table.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A parsed command line: options by name, and the words that belong to no option.
class OptionValues {
  public:
    [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
    /// The value; "" if the option was not given.
    [[nodiscard]] std::string text(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
    /// Of kNumber and kPort, whose values were checked.
    [[nodiscard]] std::optional<uint64_t> number(std::string_view name) const;
    [[nodiscard]] const std::vector<std::string>& words() const noexcept { return words_; }

    void add(std::string_view name, std::string value) {
        values_[std::string(name)].push_back(std::move(value));
    }
    void remove(std::string_view name) { values_.erase(std::string(name)); }
    void add_word(std::string word) { words_.push_back(std::move(word)); }

  private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> words_;
};

/// Reads `arguments`. An Error is one line without the program's name. Required options are not
/// checked here, because --help is valid without them; see missing_option().
[[nodiscard]] Result<OptionValues> parse_options(std::span<const OptionRow> rows,
                                                 std::span<const std::string> arguments);

/// The first required option that was not given.
[[nodiscard]] const OptionRow* missing_option(std::span<const OptionRow> rows,
                                              const OptionValues& values);

/// The index of the first argument that is neither an option of `rows` nor such an option's value;
/// the number of arguments if there is none. Unknown options count as flags.
[[nodiscard]] size_t first_word(std::span<const OptionRow> rows,
                                std::span<const std::string> arguments, size_t from = 0);

}  // namespace podlane::control
