// An object of the API server, cut down to what concerns podlaned.
//
// A cluster has many more pods than a node, and most of a Pod's text is about containers, volumes
// and field managers. What the dataplane never reads is dropped where it comes in, so that a change
// of it (a heartbeat, a restart count) is no change at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace podlane::control {

struct WatchedObject {
    std::string name;      ///< "namespace/name", or "name" for kinds without namespace
    std::string uid;       ///< another one: another object of the same name
    uint64_t version = 0;  ///< metadata.resourceVersion; 0 where it is no number
    std::string text;      ///< JSON, with apiVersion and kind; empty for a deleted object
};

/// The resource version as a number, so that older and newer can be told apart; 0 if it is none.
/// The API server's are etcd's revisions, which grow over all objects.
[[nodiscard]] uint64_t version_number(std::string_view version) noexcept;

}  // namespace podlane::control
