// The tables of `podlanectl get`: which columns each kind has.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

/// One column of a kind's table.
struct ListColumn {
    std::string title;
    std::function<std::string(const nlohmann::ordered_json& item)> cell;
    bool is_wide = false;  ///< only with -o wide
    bool is_number = false;
};

/// A column of what `pointer` (RFC 6901; must outlive the column) names in an item.
[[nodiscard]] ListColumn list_column(std::string title, const char* pointer);
/// The same column, but only with -o wide.
[[nodiscard]] ListColumn wide_column(ListColumn column);

/// The columns of Kubernetes' objects of this kind (plural); empty for others.
[[nodiscard]] std::vector<ListColumn> object_columns(std::string_view kind);

/// The columns of live state of this kind; empty for others.
[[nodiscard]] std::vector<ListColumn> live_columns(std::string_view kind);

/// `items` (a list, as the config socket's `get` gives it) as a table; a line that says so when it
/// is empty.
[[nodiscard]] std::string list_text(std::string_view kind, const nlohmann::ordered_json& items,
                                    bool is_wide);

}  // namespace podlane::control
