#include "control/options/table.h"

#include <fmt/format.h>

namespace podlane::control {

std::vector<std::string_view> words_of(std::string_view list) {
    std::vector<std::string_view> words;
    while (!list.empty()) {
        const size_t end = list.find(' ');
        if (end != 0) words.push_back(list.substr(0, end));
        list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    }
    return words;
}

std::string option_usage(const OptionRow& row) {
    return fmt::format("{}--{}{}{}", row.letter == 0 ? "" : fmt::format("-{}, ", row.letter),
                       row.name, row.value.empty() ? "" : " ", row.value);
}

}  // namespace podlane::control
