// The set of Kubernetes objects that this node knows, and changes to it.
//
// A change has two steps: plan_*() says what would change and changes nothing (`diff` and
// `validate` need only that). commit() applies the plan, and revert() undoes it if a later step,
// such as compiling a Snapshot, refuses it. Their cost grows with the change, not with the store. A
// copy of a store shares the objects, so it costs one pointer per object. Threads: one at a time;
// the control thread.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "control/kube/objects.h"

namespace podlane::control {

/// One object before and after; `before` is none for an added one, `after` for a removed one.
struct Change {
    ObjectKey key;
    std::optional<Object> before;
    std::optional<Object> after;
};

/// The objects that a change adds, changes and removes; equal objects are only counted. Each list
/// is sorted by key.
struct ChangeSet {
    std::vector<Change> added;
    std::vector<Change> changed;
    std::vector<Change> removed;
    size_t unchanged = 0;

    [[nodiscard]] bool empty() const noexcept {
        return added.empty() && changed.empty() && removed.empty();
    }
};

class ObjectStore {
  public:
    template <class T>
    using Map = std::map<NamespacedName, ObjectPtr<T>>;

    /// Every object of a kind, sorted by namespace and name; of a cluster's own kinds the namespace
    /// is "".
    template <class T>
    [[nodiscard]] const Map<T>& all() const noexcept {
        return std::get<Map<T>>(maps_);
    }
    /// Null if there is none.
    template <class T>
    [[nodiscard]] ObjectPtr<T> find(const NamespacedName& name) const {
        const auto it = all<T>().find(name);
        return it == all<T>().end() ? nullptr : it->second;
    }
    [[nodiscard]] std::optional<Object> find(const ObjectKey& key) const;
    /// Every object of a kind whose type is not known before run time, sorted as all().
    [[nodiscard]] std::vector<Object> list(Kind kind) const;
    /// Number of objects of all kinds.
    [[nodiscard]] size_t size() const noexcept;

    /// The Service's slices, sorted by name. Valid until the next commit() or revert().
    [[nodiscard]] const std::vector<ObjectPtr<EndpointSlice>>& slices_of(
        const NamespacedName& service) const;
    /// The namespace's pods, sorted by name.
    [[nodiscard]] std::vector<ObjectPtr<Pod>> pods_in(std::string_view name_space) const;

    /// Adding or changing `objects`; the later of two with one key counts.
    [[nodiscard]] ChangeSet plan_apply(const std::vector<Object>& objects) const;
    /// Removes those of `keys` that exist.
    [[nodiscard]] ChangeSet plan_delete(const std::vector<ObjectKey>& keys) const;
    /// Making the store hold exactly `objects`.
    [[nodiscard]] ChangeSet plan_replace(const std::vector<Object>& objects) const;

    /// Carries out a plan that was made on this very state.
    void commit(const ChangeSet& changes);
    /// Undoes the last commit().
    void revert(const ChangeSet& changes);

  private:
    void put(const Object& object);
    void erase(const Object& object);

    template <class Variant>
    struct MapsOf;
    template <class... Pointers>
    struct MapsOf<std::variant<Pointers...>> {
        using type = std::tuple<Map<std::remove_const_t<typename Pointers::element_type>>...>;
    };

    MapsOf<Object>::type maps_;  // in the order of Kind
    std::unordered_map<NamespacedName, std::vector<ObjectPtr<EndpointSlice>>, NamespacedNameHash>
        slices_by_service_;
};

}  // namespace podlane::control
