// What `get`, `describe` and `delete` are about: kinds and names, as kubectl takes them.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "control/cli/command.h"
#include "control/cli/kinds.h"

namespace podlane::control {

/// A kind, and one of its items if it is named.
struct Target {
    const CliKind* kind = nullptr;
    std::string name;  ///< as the config socket takes it; "" for all, "ns/" for all of a namespace

    [[nodiscard]] bool is_one() const noexcept { return !name.empty() && !name.ends_with('/'); }
};

/// Of commands that take names besides `get`.
inline constexpr OptionRow kNamespaceOption{"namespace", 'n', OptionType::kText, "NS",
                                            "of a NAME without one (default: default)"};

/// "web" with the namespace of -n, else default: "default/web". A name that has one stays.
[[nodiscard]] std::string whole_name(const Invocation& call, std::string name);

/// Reads the words: "svc", "svc web", "svc web db", "svc/web", "svc,ep", "svc shop/web"; with -n
/// for the namespace. Returns an error instead of the targets if they are invalid.
[[nodiscard]] std::variant<std::vector<Target>, std::string> targets_of(const Invocation& call,
                                                                        bool objects_only);

/// Whether an item of live state belongs to the namespace.
[[nodiscard]] bool is_in_namespace(const LiveKind& kind, const nlohmann::ordered_json& item,
                                   std::string_view name_space);

}  // namespace podlane::control
