// The words by which podlanectl knows what `get`, `delete` and `describe` are about: Kubernetes'
// kinds as control/kube has them, and the live kinds of the config socket.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/kind_words.h"
#include "control/kube/meta.h"
#include "control/rpc/live_kinds.h"

namespace podlane::control {

struct CliKind {
    std::string plural;                   ///< as the config socket calls it
    std::string singular;                 ///< also accepted
    std::vector<std::string_view> brief;  ///< kubectl's short forms, also accepted
    std::string_view group;          ///< "discovery.k8s.io"; "" for the core and for live state
    std::optional<Kind> object;      ///< a Kubernetes kind
    const LiveKind* live = nullptr;  ///< live state

    [[nodiscard]] bool is_namespaced() const noexcept {
        return object && control::is_namespaced(*object);
    }
};

/// Every kind, objects first.
[[nodiscard]] std::span<const CliKind> cli_kinds();

/// The kind of this name in any case: plural, singular or short form, each also with its API group
/// ("networkpolicies.networking.k8s.io"), as kubectl takes them; null if there is none.
[[nodiscard]] const CliKind* find_kind(std::string_view word);

/// "unknown kind "srvices"; did you mean "services"?".
[[nodiscard]] std::string unknown_kind(std::string_view word, bool objects_only);

}  // namespace podlane::control
