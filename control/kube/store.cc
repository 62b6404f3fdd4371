#include "control/kube/store.h"

#include <algorithm>

namespace podlane::control {

namespace {

const std::vector<ObjectPtr<EndpointSlice>> kNoSlices;

void sort_by_key(ChangeSet& changes) {
    for (auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        std::ranges::sort(*list, {}, &Change::key);
    }
}

}  // namespace

std::optional<Object> ObjectStore::find(const ObjectKey& key) const {
    const NamespacedName name{key.name_space, key.name};
    std::optional<Object> found;
    const auto look = [&]<class T>(const Map<T>& map) {
        if (T::kKind != key.kind) return;
        if (const auto it = map.find(name); it != map.end()) found = it->second;
    };
    std::apply([&](const auto&... maps) { (look(maps), ...); }, maps_);
    return found;
}

std::vector<Object> ObjectStore::list(Kind kind) const {
    std::vector<Object> out;
    const auto copy = [&]<class T>(const Map<T>& map) {
        if (T::kKind != kind) return;
        out.reserve(map.size());
        for (const auto& [name, object] : map) out.emplace_back(object);
    };
    std::apply([&](const auto&... maps) { (copy(maps), ...); }, maps_);
    return out;
}

size_t ObjectStore::size() const noexcept {
    return std::apply([](const auto&... maps) { return (maps.size() + ...); }, maps_);
}

const std::vector<ObjectPtr<EndpointSlice>>& ObjectStore::slices_of(
    const NamespacedName& service) const {
    const auto it = slices_by_service_.find(service);
    return it == slices_by_service_.end() ? kNoSlices : it->second;
}

std::vector<ObjectPtr<Pod>> ObjectStore::pods_in(std::string_view name_space) const {
    std::vector<ObjectPtr<Pod>> pods;
    const auto& all_pods = all<Pod>();
    auto it = all_pods.lower_bound({std::string(name_space), {}});
    for (; it != all_pods.end() && it->first.name_space == name_space; ++it) {
        pods.push_back(it->second);
    }
    return pods;
}

ChangeSet ObjectStore::plan_apply(const std::vector<Object>& objects) const {
    std::map<ObjectKey, const Object*> wanted;  // the later one wins
    for (const Object& object : objects) wanted.insert_or_assign(key_of(object), &object);
    ChangeSet changes;
    for (const auto& [key, object] : wanted) {
        auto before = find(key);
        if (!before) {
            changes.added.push_back({key, std::nullopt, *object});
        } else if (equal_objects(*before, *object)) {
            ++changes.unchanged;
        } else {
            changes.changed.push_back({key, std::move(before), *object});
        }
    }
    return changes;
}

ChangeSet ObjectStore::plan_delete(const std::vector<ObjectKey>& keys) const {
    ChangeSet changes;
    for (const ObjectKey& key : keys) {
        if (auto before = find(key))
            changes.removed.push_back({key, std::move(before), std::nullopt});
    }
    sort_by_key(changes);
    const auto is_same = [](const Change& a, const Change& b) { return a.key == b.key; };
    changes.removed.erase(std::unique(changes.removed.begin(), changes.removed.end(), is_same),
                          changes.removed.end());
    return changes;
}

ChangeSet ObjectStore::plan_replace(const std::vector<Object>& objects) const {
    ChangeSet changes = plan_apply(objects);
    std::vector<ObjectKey> wanted;
    wanted.reserve(objects.size());
    for (const Object& object : objects) wanted.push_back(key_of(object));
    std::ranges::sort(wanted);
    const auto collect = [&]<class T>(const Map<T>& map) {
        for (const auto& [name, object] : map) {
            ObjectKey key{T::kKind, name.name_space, name.name};
            if (std::ranges::binary_search(wanted, key)) continue;
            changes.removed.push_back({std::move(key), Object(object), std::nullopt});
        }
    };
    std::apply([&](const auto&... maps) { (collect(maps), ...); }, maps_);
    return changes;
}

void ObjectStore::commit(const ChangeSet& changes) {
    for (const Change& change : changes.removed) erase(*change.before);
    for (const Change& change : changes.changed) {
        erase(*change.before);
        put(*change.after);
    }
    for (const Change& change : changes.added) put(*change.after);
}

void ObjectStore::revert(const ChangeSet& changes) {
    for (const Change& change : changes.added) erase(*change.after);
    for (const Change& change : changes.changed) {
        erase(*change.after);
        put(*change.before);
    }
    for (const Change& change : changes.removed) put(*change.before);
}

void ObjectStore::put(const Object& object) {
    std::visit(
        [&]<class T>(const ObjectPtr<T>& ptr) {
            std::get<Map<T>>(maps_).insert_or_assign(ptr->meta.namespaced_name(), ptr);
            if constexpr (std::is_same_v<T, EndpointSlice>) {
                if (ptr->service.empty()) return;
                auto& slices = slices_by_service_[{ptr->meta.name_space, ptr->service}];
                const auto at = std::ranges::lower_bound(
                    slices, ptr->meta.name, {},
                    [](const auto& slice) -> const std::string& { return slice->meta.name; });
                slices.insert(at, ptr);
            }
        },
        object);
}

void ObjectStore::erase(const Object& object) {
    std::visit(
        [&]<class T>(const ObjectPtr<T>& ptr) {
            std::get<Map<T>>(maps_).erase(ptr->meta.namespaced_name());
            if constexpr (std::is_same_v<T, EndpointSlice>) {
                const auto it = slices_by_service_.find({ptr->meta.name_space, ptr->service});
                if (it == slices_by_service_.end()) return;
                std::erase(it->second, ptr);
                if (it->second.empty()) slices_by_service_.erase(it);
            }
        },
        object);
}

}  // namespace podlane::control
