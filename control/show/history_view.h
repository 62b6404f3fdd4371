// What has happened on this node, as plain typed values: what `events` answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace podlane::control {

/// One thing that happened.
struct HistoryEvent {
    uint64_t number = 0;      ///< rises by one with each; 1 is the first since the start
    uint64_t time_ms = 0;     ///< since 1970
    uint64_t generation = 0;  ///< in use from then on
    std::string what;         ///< "objects", "refused", "pod", "neighbour", "link", "start"
    std::string by;           ///< an owner of objects, or "podlaned"
    std::string text;         ///< one line
};

struct HistoryPage {
    std::vector<HistoryEvent> events;  ///< the oldest first
    uint64_t last = 0;                 ///< number of the newest there is
    uint64_t forgotten = 0;            ///< that were asked for and are not kept any more
};

}  // namespace podlane::control
