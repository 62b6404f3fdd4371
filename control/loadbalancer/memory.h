// The present and former addresses of Services: the part of an allocation that cannot be computed
// from the objects alone, as text for a small file. docs/decisions/load-balancer-addresses.md says
// why. Control thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/meta.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Addresses by Service. An address is in it once.
struct AddressMemory {
    /// A Service that is no more; its addresses go to another one only when no other is left.
    struct Gone {
        NamespacedName service;
        std::vector<IpAddress> addresses;
        friend bool operator==(const Gone&, const Gone&) = default;
    };
    /// As many are remembered; the first ones are forgotten.
    static constexpr size_t kMostGone = 1024;

    std::map<NamespacedName, std::vector<IpAddress>> held;
    std::vector<Gone> gone;  ///< in the order in which they went

    friend bool operator==(const AddressMemory&, const AddressMemory&) = default;
};

[[nodiscard]] std::string to_text(const AddressMemory& memory);
/// The error says what is wrong with the text.
[[nodiscard]] Result<AddressMemory> memory_from_text(std::string_view text);

/// Empty if there is no such file.
[[nodiscard]] Result<AddressMemory> load_memory(const std::string& path);
/// Replaces the file atomically: a reader finds the old one or the new one. Creates its folder if
/// needed.
[[nodiscard]] Result<void> save_memory(const std::string& path, const AddressMemory& memory);

}  // namespace podlane::control
