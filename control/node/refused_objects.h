// Objects that are not served, or only in part, and why: unreadable ones from a feeder (`each`),
// and those that have lost an address or port to an older one.
//
// The node model updates it with each change and generation; `get KIND` with `refused`, health,
// stats and the log show it. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/compile/refused.h"
#include "control/kube/parse.h"

namespace podlane::control {

class RefusedObjects {
  public:
    /// `told` is called when an object becomes refused, and when it no longer is.
    void on_news(std::function<void(const RefusedObject&, bool is_refused)> told) {
        told_ = std::move(told);
    }
    /// The owner handed in an object that cannot be accepted. The previous object with its key
    /// stays.
    void refuse(const ObjectKey& key, std::string message, std::string_view owner);
    /// An object of that key was taken, or is not wanted any more; true if it was refused before.
    bool forget(const ObjectKey& key);
    /// After a re-list of the owner, for `kinds` (empty: all): only those of `keys` are still
    /// refused.
    void keep_only(std::string_view owner, const std::set<Kind>& kinds,
                   const std::set<ObjectKey>& keys);
    /// After a generation: those that lost something to another one. Logs each once.
    void follow(const std::vector<RefusedObject>& unserved);

    /// Sorted by key; an object may be there for several reasons.
    [[nodiscard]] std::vector<RefusedObject> list() const;
    [[nodiscard]] size_t size() const noexcept { return unread_.size() + unserved_.size(); }
    /// How often an object came to be refused; only grows.
    [[nodiscard]] uint64_t total() const noexcept { return total_; }

  private:
    struct Unread {
        std::string message;
        std::string owner;
    };
    void tell(const RefusedObject& object);
    void tell_taken(const ObjectKey& key);

    std::function<void(const RefusedObject&, bool)> told_;
    std::map<ObjectKey, Unread> unread_;
    std::set<RefusedObject> unserved_;
    uint64_t total_ = 0;
};

}  // namespace podlane::control
