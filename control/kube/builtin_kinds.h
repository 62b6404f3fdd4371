// The kinds that Kubernetes itself has, to tell those that do not concern the dataplane from those
// that are misspelt. The reader of objects (parse.cc) asks; pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace podlane::control {

/// Whether the API group is one of Kubernetes' own; "" is the core group. Others belong to
/// CustomResourceDefinitions, which are unknown here.
[[nodiscard]] bool is_builtin_group(std::string_view group) noexcept;
/// Whether the group has that kind, as of Kubernetes 1.34.
[[nodiscard]] bool is_builtin_kind(std::string_view group, std::string_view kind) noexcept;
/// A suggestion for a kind that the group does not have: "Service", or "NetworkPolicy of
/// networking.k8s.io/v1"; "" if no kind is similar.
[[nodiscard]] std::string similar_kind(std::string_view group, std::string_view kind);

}  // namespace podlane::control
