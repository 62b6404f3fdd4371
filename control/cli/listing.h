// The tables of `podlanectl get`: which columns each kind has.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/cli/kinds.h"
#include "control/cli/table.h"

namespace podlane::control {

/// One column of a kind's table.
struct ListColumn {
    std::string title;
    std::function<std::string(const nlohmann::ordered_json& item)> cell;
    bool is_wide = false;  ///< only with -o wide
    bool is_number = false;
    bool is_list = false;
    bool is_age = false;  ///< changes by itself
    uint8_t drop = 0;
};

/// A column of what `pointer` (RFC 6901; must outlive the column) names in an item.
[[nodiscard]] ListColumn list_column(std::string title, const char* pointer);
/// The same column, but only with -o wide.
[[nodiscard]] ListColumn wide_column(ListColumn column);

/// The columns of Kubernetes' objects of this kind.
[[nodiscard]] std::vector<ListColumn> object_columns(Kind kind);

/// The columns of live state of this kind.
[[nodiscard]] std::vector<ListColumn> live_columns(const LiveKind& kind);

/// `items` (a list, as the config socket's `get` gives it) as a table; "" when it is empty.
/// `prefix` stands before each name: "service/" where several kinds are listed.
[[nodiscard]] std::string list_text(const CliKind& kind, const nlohmann::ordered_json& items,
                                    const Screen& screen, std::string_view prefix = "");

/// "service/web", "networkpolicy.networking.k8s.io/allow", "port/uplink0", as -o name has it; with
/// the namespace where `with_namespace`.
[[nodiscard]] std::string item_name(const CliKind& kind, const nlohmann::ordered_json& item,
                                    bool with_namespace);

/// What makes an item's row news to a watcher: its cells, those left out that change by themselves.
[[nodiscard]] std::string row_identity(const CliKind& kind, const nlohmann::ordered_json& item);

}  // namespace podlane::control
