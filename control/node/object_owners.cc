#include "control/node/object_owners.h"

#include "control/node/pod_names.h"

namespace podlane::control {

std::string_view ObjectOwners::owner_of(const ObjectKey& key) const {
    const auto at = others_.find(key);
    return at != others_.end() ? std::string_view(at->second) : kOperator;
}

void ObjectOwners::follow(const ChangeSet& plan, std::string_view owner) {
    for (const Change& change : plan.removed) others_.erase(change.key);
    if (owner == kOperator) return;
    for (const Change& change : plan.added) others_.emplace(change.key, owner);
}

bool is_owner_name(std::string_view text) noexcept {
    constexpr size_t kLongest = 63;
    // Same syntax as container ids.
    return text.size() <= kLongest && is_container_id(text);
}

}  // namespace podlane::control
