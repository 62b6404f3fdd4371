// What has changed lately, for those who watch instead of polling.
//
// The node model writes it, whoever watches reads on from where it stands. It is bounded: a reader
// that falls behind what is kept is told to list again, and costs nothing meanwhile. Control
// thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

enum class NewsType : uint8_t { kAdded, kModified, kDeleted };

/// One change. Without a name it concerns the kind as a whole: list it again.
struct News {
    uint64_t cursor = 0;
    std::string kind;  ///< in the plural, as for `get`; "events" for what has only a text
    NewsType type = NewsType::kModified;
    std::string name;
    std::string text;  ///< of "events"
};

class Journal {
  public:
    static constexpr size_t kCapacity = 16'384;

    /// `first`: above every cursor that a process before this one has given, such as microseconds
    /// since 1970.
    explicit Journal(uint64_t first) : last_(first) {}

    void add(std::string_view kind, NewsType type, std::string_view name,
             std::string_view text = {});
    /// Of the newest news; what comes after has a higher one.
    [[nodiscard]] uint64_t cursor() const noexcept { return last_; }
    /// Whether all that came after `cursor` is still here.
    [[nodiscard]] bool reaches(uint64_t cursor) const noexcept;
    struct Page {
        std::vector<News> news;
        uint64_t cursor = 0;  ///< from where to read on
    };
    /// The news of these kinds after `cursor`, which it must reach, at most `limit`; of several
    /// about one item the last.
    [[nodiscard]] Page after(uint64_t cursor, const std::set<std::string>& kinds,
                             size_t limit) const;

  private:
    std::deque<News> news_;
    uint64_t last_;
};

}  // namespace podlane::control
