// Changes on this node, as plain typed values: for `watch` and for `events`.
//
// The node model writes it (control/node/journal.h); news_json.h makes JSON of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

enum class NewsType : uint8_t { kAdded, kModified, kDeleted };

/// The kind of news that has only a text.
inline constexpr std::string_view kEventNews = "events";
/// The author of changes that no client requested.
inline constexpr std::string_view kSelf = "podlaned";

/// One change. Without a name it concerns the kind as a whole: list it again.
struct News {
    std::string_view kind;  ///< in the plural, as for `get`; kEventNews for what has only a text
    NewsType type = NewsType::kModified;
    std::string name = {};
    /// One line for a person; empty: it is of use to programs that watch, alone.
    std::string text = {};
    /// What `events` calls its kind where it is kEventNews: "links", "workers", ...
    std::string_view topic = {};
    std::string about = {};  ///< by what else it is found: the Service of endpoints, a port's pod
    std::string by = std::string(kSelf);  ///< an owner of objects, a program at the socket
    // The journal and the node model say these:
    uint64_t cursor = 0;
    uint64_t time_ms = 0;     ///< since 1970
    uint64_t generation = 0;  ///< that was live then, or became so by it

    [[nodiscard]] std::string_view shown_kind() const noexcept {
        return topic.empty() ? kind : topic;
    }
};

/// As `events` answers.
struct History {
    std::vector<News> events;   ///< those with a text, the oldest first
    uint64_t cursor = 0;        ///< where to continue
    uint64_t left_out = 0;      ///< older ones that fit, too, and were too many
    uint64_t kept_from_ms = 0;  ///< earlier news is no longer kept; 0: all since the start is kept
    bool is_torn = false;       ///< something behind `after` is not kept any more
};

}  // namespace podlane::control
