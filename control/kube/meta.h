// What all Kubernetes objects share: kind, key, labels, selectors, and origin.
//
// Used by all code in control/ that deals with objects. Plain values, no thread of their own.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/kind_list.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::control {

/// The kinds of kind_list.h; all others are skipped with a notice.
enum class Kind : uint8_t {
#define PODLANE_ENUMERATOR(type, ...) k##type,
    PODLANE_KINDS(PODLANE_ENUMERATOR)
#undef PODLANE_ENUMERATOR
};
#define PODLANE_COUNT(...) +1  // NOLINT(bugprone-macro-parentheses): a term of a sum
inline constexpr size_t kKindCount = 0 PODLANE_KINDS(PODLANE_COUNT);
#undef PODLANE_COUNT

/// "Service".
[[nodiscard]] std::string_view kind_name(Kind kind) noexcept;
/// "v1", "discovery.k8s.io/v1" ...
[[nodiscard]] std::string_view api_version(Kind kind) noexcept;
/// False for Node, Namespace and IngressClass, which belong to the whole cluster.
[[nodiscard]] bool is_namespaced(Kind kind) noexcept;
/// From the kind itself, "Service"; the case counts.
[[nodiscard]] std::optional<Kind> kind_from_name(std::string_view name) noexcept;
/// From what an operator types: "service", "services", "svc", "EndpointSlice", "netpol" ...
[[nodiscard]] std::optional<Kind> kind_from_word(std::string_view word) noexcept;

/// Which object: unique in a cluster.
struct ObjectKey {
    Kind kind = Kind::kNode;
    std::string name_space;  ///< "" for a cluster's own kinds
    std::string name;

    friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

/// "Service default/web", "Node node-a".
[[nodiscard]] std::string to_string(const ObjectKey& key);

/// NAMESPACE/NAME of a namespaced object.
struct NamespacedName {
    std::string name_space;
    std::string name;

    friend auto operator<=>(const NamespacedName&, const NamespacedName&) = default;
};

/// "default/web".
[[nodiscard]] std::string to_string(const NamespacedName& name);

struct NamespacedNameHash {
    size_t operator()(const NamespacedName& n) const noexcept {
        const std::hash<std::string_view> hash;
        return hash(n.name_space) * 31 + hash(n.name);
    }
};

using Labels = std::map<std::string, std::string, std::less<>>;

/// One of `matchExpressions`.
struct LabelExpression {
    enum class Operator : uint8_t { kIn, kNotIn, kExists, kDoesNotExist };

    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;  ///< not empty for In and NotIn, empty for the others

    friend bool operator==(const LabelExpression&, const LabelExpression&) = default;
    /// NotIn and DoesNotExist are true for labels without the key, as in Kubernetes.
    [[nodiscard]] bool matches(const Labels& labels) const;
};

/// A LabelSelector: all its parts must hold; an empty one matches everything.
struct LabelSelector {
    Labels match_labels;
    std::vector<LabelExpression> match_expressions;

    friend bool operator==(const LabelSelector&, const LabelSelector&) = default;
    [[nodiscard]] bool empty() const noexcept {
        return match_labels.empty() && match_expressions.empty();
    }
    [[nodiscard]] bool matches(const Labels& labels) const;
};

/// True if all of `wanted` are in `labels`; an empty `wanted` matches everything.
[[nodiscard]] bool contains_labels(const Labels& labels, const Labels& wanted);

/// Where an object came from. It is ignored when objects are compared.
struct Origin {
    std::string document;  ///< file or document name
    uint32_t line = 0;     ///< 1-based, where the object begins

    friend bool operator==(const Origin&, const Origin&) noexcept { return true; }
};

/// The part of `metadata` that we keep.
struct Meta {
    std::string name_space;  ///< "" for cluster-scoped kinds; "default" if the text had none
    std::string name;
    Labels labels;
    Origin origin;
    int64_t created = 0;  ///< creationTimestamp, in seconds since 1970; 0 = not known

    friend bool operator==(const Meta&, const Meta&) = default;
    [[nodiscard]] NamespacedName namespaced_name() const { return {name_space, name}; }
    /// Whether it is older than `other`: by its creation, one without a time last, then by name.
    [[nodiscard]] bool is_older(const Meta& other) const noexcept;
    /// The label's value, or "" if it has none.
    [[nodiscard]] std::string_view label(std::string_view key) const noexcept;
};

/// An L4 protocol with its IP protocol number as its value.
enum class Protocol : uint8_t {
    kTcp = kProtocolTcp,
    kUdp = kProtocolUdp,
    kSctp = kProtocolSctp,
};

/// "TCP", "UDP", "SCTP".
[[nodiscard]] std::string_view protocol_name(Protocol protocol) noexcept;
/// The protocol of such a name.
[[nodiscard]] std::optional<Protocol> protocol_from_name(std::string_view name) noexcept;

/// A port by number, or by the name of a container's port (Kubernetes' IntOrString).
struct PortRef {
    uint16_t number = 0;  ///< host order; used when `name` is empty
    std::string name;

    friend auto operator<=>(const PortRef&, const PortRef&) = default;
    [[nodiscard]] bool is_name() const noexcept { return !name.empty(); }
};

}  // namespace podlane::control
