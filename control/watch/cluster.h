// podlane-kube's copy of the cluster, and the changes that podlaned has not received yet.
//
// Watchers add what the API server sends, the feeder takes out batches. No change is lost in
// between: a batch that could not be delivered is part of the full set that the feeder sends to the
// next podlaned.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/watch/resource.h"
#include "control/watch/watched_object.h"

namespace podlane::control {

/// Objects to remove and to apply, as the texts of two `kind: List`s; empty texts: none. The
/// removals go first: new objects may need what removed ones had (an address, a node port).
struct Batch {
    std::string removals, changes;
    size_t removed = 0, changed = 0;
    std::chrono::steady_clock::time_point first_news{};  ///< of the oldest event in it
    [[nodiscard]] bool is_empty() const noexcept { return removed == 0 && changed == 0; }
};

/// Threads: any; one mutex.
class Cluster {
  public:
    using Clock = std::chrono::steady_clock;

    explicit Cluster(std::span<const Resource> resources);

    /// The whole set of one resource: objects that are not in it are gone.
    void replace(const Resource& resource, std::vector<WatchedObject> objects);
    void change(const Resource& resource, WatchedObject object);
    void remove(const Resource& resource, const std::string& name);

    /// Every resource was listed at least once.
    [[nodiscard]] bool is_complete() const;
    /// Waits until there is news, all resources are complete if `for_all`, or `until` has come.
    void wait(Clock::time_point until, bool for_all);
    /// Ends a wait().
    void wake();

    /// Takes the changes since the last call.
    [[nodiscard]] Batch take_news();
    /// All objects as one List, including pending changes.
    [[nodiscard]] std::string take_all();

    [[nodiscard]] size_t objects() const;
    [[nodiscard]] size_t text_bytes() const;

    /// A kept object as JSON; empty if there is none.
    [[nodiscard]] std::string text_of(std::string_view kind, const std::string& name) const;
    /// The first object by name whose JSON satisfies `is_it`; empty if there is none.
    [[nodiscard]] std::string first_of(std::string_view kind,
                                       const std::function<bool(const std::string&)>& is_it) const;
    /// The uid of an object, for events about it; empty if there is none.
    [[nodiscard]] std::string uid_of(std::string_view kind, const std::string& name) const;

  private:
    struct Entry {
        std::string uid;
        std::string text;
    };
    struct Kind {
        const Resource* resource = nullptr;
        std::map<std::string, Entry, std::less<>> objects;
        std::set<std::string, std::less<>> removed, changed;  ///< not sent yet; may be in both
        bool has_synced = false;
    };

    Kind& kind_of(const Resource& resource);
    [[nodiscard]] const Kind* find_kind(std::string_view kind) const;
    [[nodiscard]] const Entry* find(std::string_view kind, const std::string& name) const;
    void change_locked(Kind& kind, WatchedObject object);
    void remove_locked(Kind& kind, const std::string& name);
    void note_news();

    mutable std::mutex mutex_;
    std::condition_variable news_;
    std::vector<Kind> kinds_;  // guarded by mutex_, as all below
    bool has_news_ = false;
    bool is_woken_ = false;
    size_t text_bytes_ = 0;
    Clock::time_point first_news_{};
};

}  // namespace podlane::control
