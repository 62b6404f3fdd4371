// NetworkPolicies in the slow path's form: rules over sets of pod addresses, address blocks and
// port ranges. Immutable, shared between snapshots.
//
// Rules name sets by id and the snapshot holds the sets, so a pod that comes or goes changes a set
// but no rule. Rules are those of Kubernetes' networking.k8s.io/v1 NetworkPolicy;
// lib/decide/policy.h evaluates them.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/cow_array.h"
#include "lib/base/family.h"

namespace podlane {

/// Identifies the addresses of the pods that one pair of selectors selects, or the address and port
/// pairs that a port name stands for. 0: none.
enum class PolicySetId : uint32_t {};

[[nodiscard]] constexpr size_t index_of(PolicySetId id) noexcept {
    return static_cast<size_t>(id);
}

/// A pod's address and the number of a named port in that pod.
template <Family F>
struct NamedPlace {
    typename F::Address address{};
    be16 port{};
    friend constexpr auto operator<=>(const NamedPlace&, const NamedPlace&) noexcept = default;
};

/// The sets of one family, by id; both families use the same ids. Sorted; a value that two pods
/// have is there twice.
template <Family F>
struct PolicySets {
    using Addresses = std::vector<typename F::Address>;
    using Places = std::vector<NamedPlace<F>>;

    CowArray<std::shared_ptr<const Addresses>> pods;
    CowArray<std::shared_ptr<const Places>> ports;

    [[nodiscard]] bool has_pod(PolicySetId id, const typename F::Address& address) const noexcept {
        const auto& set = pods[index_of(id)];
        return set && std::binary_search(set->begin(), set->end(), address);
    }
    [[nodiscard]] bool has_port(PolicySetId id, const NamedPlace<F>& place) const noexcept {
        const auto& set = ports[index_of(id)];
        return set && std::binary_search(set->begin(), set->end(), place);
    }
};

/// `ipBlock`.
template <Family F>
struct PolicyBlock {
    Prefix<F> cidr{};
    std::vector<Prefix<F>> except;

    [[nodiscard]] bool contains(const typename F::Address& address) const noexcept {
        return cidr.contains(address) &&
               std::none_of(except.begin(), except.end(),
                            [&](const Prefix<F>& hole) { return hole.contains(address); });
    }
};

/// One of a rule's `ports`: a range of the destination port, host order and inclusive, or a name.
struct PolicyPortRange {
    uint8_t protocol = 0;  ///< IANA number: 6, 17 or 132
    uint16_t first = 0;
    uint16_t last = 0xffff;
    PolicySetId named{};  ///< not 0: the pairs that the name stands for, instead of the range
};

/// One rule of a policy: its peers and its ports must both match.
struct CompiledRule {
    bool any_peer = false;  ///< no `from` or `to`: every peer
    bool any_port = false;  ///< no `ports`: every port of every protocol
    std::vector<PolicySetId> peers;
    std::vector<PolicyBlock<V4>> v4;
    std::vector<PolicyBlock<V6>> v6;
    std::vector<PolicyPortRange> ports;

    template <Family F>
    [[nodiscard]] const std::vector<PolicyBlock<F>>& blocks() const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4;
        } else {
            return v6;
        }
    }
};

struct CompiledPolicy {
    std::string name;  ///< "namespace/name"
    std::vector<CompiledRule> ingress, egress;
};

/// The policies that select one pod of this node, by name. A direction without policies is open.
struct PodPolicies {
    using List = std::vector<std::shared_ptr<const CompiledPolicy>>;

    std::string pod;  ///< "namespace/name"
    List ingress, egress;
};

}  // namespace podlane
