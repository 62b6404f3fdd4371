// Recent changes, for clients that watch instead of polling, and for later queries.
//
// The node model writes it, and each watcher reads on from its own position. It is bounded by
// number and bytes: a reader that falls behind is told so, and costs nothing in between. Control
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "control/show/news.h"

namespace podlane::control {

/// The filter of `events`: news must match everything that is set.
struct NewsFilter {
    std::set<std::string, std::less<>> kinds;  ///< by News::shown_kind(); empty: all
    /// The item's name, or what it is about; "shop/" means a whole namespace; empty: all.
    std::string name = {};
    std::string by = {};
    uint64_t since_ms = 0;  ///< not older, since 1970
    uint64_t until_ms = 0;  ///< older; 0: any

    /// News without a text fits none.
    [[nodiscard]] bool matches(const News& news) const noexcept;
};

class Journal {
  public:
    static constexpr size_t kCapacity = 65'536;
    static constexpr size_t kMostBytes = size_t{24} << 20;

    /// `first`: above every cursor that a process before this one has given, such as microseconds
    /// since 1970.
    explicit Journal(uint64_t first) : last_(first) {}

    void add(News news);
    /// The cursor of the newest news; later news has a higher one.
    [[nodiscard]] uint64_t cursor() const noexcept { return last_; }
    /// Whether all that came after `cursor` is still here.
    [[nodiscard]] bool reaches(uint64_t cursor) const noexcept;
    struct Page {
        std::vector<News> news;
        uint64_t cursor = 0;  ///< where to continue
    };
    /// The news of these kinds after `cursor`, which it must reach, at most `limit`; of several
    /// about one item the last.
    [[nodiscard]] Page after(uint64_t cursor, const std::set<std::string>& kinds,
                             size_t limit) const;

    /// The newest `limit` that fit.
    [[nodiscard]] History newest(const NewsFilter& filter, size_t limit) const;
    /// The first `limit` matches after `cursor`, or from the oldest kept news if `cursor` is older.
    [[nodiscard]] History history_after(uint64_t cursor, const NewsFilter& filter,
                                        size_t limit) const;

  private:
    [[nodiscard]] std::deque<News>::const_iterator behind(uint64_t cursor) const;
    [[nodiscard]] uint64_t kept_from_ms() const noexcept;

    std::deque<News> news_;
    size_t bytes_ = 0;       ///< of news_
    bool has_lost_ = false;  ///< some are not kept any more
    uint64_t last_;
};

[[nodiscard]] uint64_t microseconds_since_1970();

}  // namespace podlane::control
