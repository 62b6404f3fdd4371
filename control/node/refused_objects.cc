#include "control/node/refused_objects.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace podlane::control {

void RefusedObjects::tell(const RefusedObject& object) {
    ++total_;
    spdlog::warn("refused: {}: {}", to_string(object.key), object.message);
    if (told_) told_(object, true);
}

void RefusedObjects::tell_taken(const ObjectKey& key) {
    spdlog::info("no longer refused: {}", to_string(key));
    if (told_) told_({key, {}}, false);
}

void RefusedObjects::refuse(const ObjectKey& key, std::string message, std::string_view owner) {
    Unread& unread = unread_[key];
    const bool is_news = unread.message != message;
    unread = {std::move(message), std::string(owner)};
    if (is_news) tell({key, unread.message});
}

bool RefusedObjects::forget(const ObjectKey& key) {
    if (unread_.erase(key) == 0) return false;
    tell_taken(key);
    return true;
}

void RefusedObjects::keep_only(std::string_view owner, const std::set<Kind>& kinds,
                               const std::set<ObjectKey>& keys) {
    std::erase_if(unread_, [&](const auto& entry) {
        const auto& [key, unread] = entry;
        const bool in_scope = kinds.empty() || kinds.contains(key.kind);
        return unread.owner == owner && in_scope && !keys.contains(key);
    });
}

void RefusedObjects::follow(const std::vector<RefusedObject>& unserved) {
    std::set<RefusedObject> now(unserved.begin(), unserved.end());
    for (const RefusedObject& object : now) {
        if (!unserved_.contains(object)) tell(object);
    }
    for (const RefusedObject& object : unserved_) {
        if (!now.contains(object)) tell_taken(object.key);
    }
    unserved_ = std::move(now);
}

std::vector<RefusedObject> RefusedObjects::list() const {
    std::vector<RefusedObject> out(unserved_.begin(), unserved_.end());
    for (const auto& [key, unread] : unread_) out.push_back({key, unread.message});
    std::ranges::sort(out);
    return out;
}

}  // namespace podlane::control
