// The kinds of objects that podlane-kube follows, one row each: an addition is a row.
//
// Read by the watchers (what to ask the API server for) and by the feeder (what to call things).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace podlane::control {

/// A resource of the API server, across all namespaces.
struct Resource {
    std::string_view kind;         ///< "EndpointSlice"
    std::string_view api_version;  ///< "discovery.k8s.io/v1"
    std::string_view path;         ///< "/apis/discovery.k8s.io/v1/endpointslices"
    std::string_view selector;     ///< "fieldSelector=..." ready for a URL; empty: everything
    /// The node serves without it: a server that does not know it, or refuses it, counts as empty.
    bool is_optional = false;
};

/// All of them, in the order in which podlaned is given them.
[[nodiscard]] std::span<const Resource> watched_resources() noexcept;

}  // namespace podlane::control
