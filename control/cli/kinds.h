// The words by which podlanectl knows what `get` and `delete` are about.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

struct CliKind {
    std::string_view plural;    ///< as the config socket calls it
    std::string_view singular;  ///< also accepted
    std::string_view brief;     ///< kubectl's short form, also accepted; may be empty
    bool is_object = false;     ///< a Kubernetes object; else live state
    bool is_namespaced = false;
};

/// Every kind, objects first.
[[nodiscard]] std::span<const CliKind> cli_kinds() noexcept;

/// The kind of this name, singular or short form, in any case; null if there is none.
[[nodiscard]] const CliKind* find_kind(std::string_view word);

/// The one of `known` that `word` was probably meant to be: at most two letters wrong.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string_view>& known);

}  // namespace podlane::control
