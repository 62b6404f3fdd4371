// The readers of the kinds: from a document's tree to a typed object, with Kubernetes' validation.
// Internal to control/kube/; other folders call parse.h.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "control/document/fields.h"
#include "control/kube/objects.h"

namespace podlane::control {

// For each kind: reads its own fields in addition to `meta`. Errors go to `problems`; the object
// must not be used then. Errors about a Secret never show its values.
#define PODLANE_READER(type, ...)                                                          \
    [[nodiscard]] ObjectPtr<type> read_object(std::type_identity<type>, const Value& root, \
                                              Meta meta, Problems& problems);
PODLANE_KINDS(PODLANE_READER)
#undef PODLANE_READER

// What several of them have in common.

inline constexpr auto kProtocolWords = std::to_array<Word<Protocol>>(
    {{"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"SCTP", Protocol::kSctp}});

/// A mapping of label keys to label values.
[[nodiscard]] Labels read_labels(const Value* value, Problems& problems);
/// matchLabels and matchExpressions.
[[nodiscard]] LabelSelector read_selector(const Value& value, Problems& problems);
/// A port's number or name.
[[nodiscard]] std::optional<PortRef> read_port_ref(const Value& value, Problems& problems);
/// A string that satisfies `is_valid`, or "" if it is absent; `what` says what it should be.
[[nodiscard]] std::string read_name(Fields& fields, std::string_view key,
                                    bool (*is_valid)(std::string_view) noexcept,
                                    std::string_view what);
/// An address as address.h reads it.
[[nodiscard]] std::optional<IpAddress> read_ip(const Value& value, Problems& problems);
/// A CIDR as address.h reads it; white space around it is passed over if `trim`.
[[nodiscard]] std::optional<IpPrefix> read_cidr(const Value& value, Problems& problems,
                                                bool trim = false);
/// Why traffic cannot be sent to this address: "a loopback address"; "" if it can.
[[nodiscard]] std::string_view why_unusable(const IpAddress& ip) noexcept;
/// An address that traffic can be sent to: not zero, loopback, link-local or link-local multicast
/// (Kubernetes' ValidateNonSpecialIP). Other multicast, which the API server takes, is passed over
/// with a warning.
[[nodiscard]] std::optional<IpAddress> read_usable_ip(const Value& value, Problems& problems);
/// metadata.creationTimestamp in seconds since 1970; 0 if there is none.
[[nodiscard]] int64_t read_created(Fields& metadata, Problems& problems);
/// The value of metadata.annotations[key]; null pointer if there is none.
[[nodiscard]] const Value* find_annotation(const Value& root, std::string_view key);

}  // namespace podlane::control
