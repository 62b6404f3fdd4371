// What has happened on this node: the last few thousand events, each with its generation, its time
// and who caused it.
//
// The node model records, `events` reads; control thread. In memory only; the log has more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "control/kube/store.h"
#include "control/show/history_view.h"

namespace podlane::control {

class History {
  public:
    static constexpr size_t kCapacity = 4096;
    /// Longest text of an event.
    static constexpr size_t kMostBytes = 1000;

    /// `wall_ms`: milliseconds since 1970.
    explicit History(std::function<uint64_t()> wall_ms) : wall_ms_(std::move(wall_ms)) {}

    void record(std::string_view what, std::string_view by, std::string text, uint64_t generation);
    /// Those behind `after`, not older than `since_ms`, the newest `limit` of them.
    [[nodiscard]] HistoryPage read(uint64_t after, uint64_t since_ms, size_t limit) const;

  private:
    const std::function<uint64_t()> wall_ms_;
    std::deque<HistoryEvent> events_;
    uint64_t last_ = 0;
};

/// "added Service shop/web; endpoints of shop/web: +10.244.1.7 -10.244.1.6; removed Pod ...".
[[nodiscard]] std::string change_text(const ChangeSet& objects);

}  // namespace podlane::control
