// An object of the API server, reduced to what concerns podlaned.
//
// A cluster has many more pods than a node, and most of a Pod's text is about containers, volumes
// and field managers. Fields that the dataplane never reads are dropped on arrival, so that a
// change of them (a heartbeat, a restart count) does not count as a change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace podlane::control {

struct WatchedObject {
    std::string name;      ///< "namespace/name", or "name" for kinds without namespace
    std::string uid;       ///< another one: another object of the same name
    uint64_t version = 0;  ///< metadata.resourceVersion; 0 if it is not a number
    std::string text;      ///< JSON, with apiVersion and kind; empty for a deleted object
};

/// The resource version as a number, so that versions can be compared; 0 if it is not a number. In
/// the API server these are etcd's revisions, which increase across all objects.
[[nodiscard]] uint64_t version_number(std::string_view version) noexcept;

}  // namespace podlane::control
