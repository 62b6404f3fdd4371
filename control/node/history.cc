// `events`: which part of the journal of news is asked for.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/kube/kind_words.h"
#include "control/node/node_model.h"

namespace podlane::control {

namespace {

/// Per answer, with some hundred bytes each.
constexpr size_t kMostEvents = 10'000;
/// In addition to objects' kinds: live state, and topics whose events are only text.
constexpr std::array<std::string_view, 9> kOthers{"ports", "neighbors", "addresses",
                                                  "links", "podlaned",  "refusals",
                                                  "snat",  "workers",   "feeders"};

}  // namespace

Outcome<History> NodeModel::history(const HistoryRequest& request) const {
    NewsFilter filter{.kinds = {},
                      .name = request.name,
                      .by = request.by,
                      .since_ms = request.since_ms,
                      .until_ms = request.until_ms};
    for (const std::string& word : request.kinds) {
        if (const auto kind = kind_from_word(word)) {
            filter.kinds.emplace(kind_plural(*kind));
        } else if (std::ranges::find(kOthers, word) != kOthers.end()) {
            filter.kinds.insert(word);
        } else {
            return refusal(RefusalKind::kBadRequest,
                           fmt::format("kinds: {} is none that events are of; objects are, and {}",
                                       word, fmt::join(kOthers, ", ")));
        }
    }
    const size_t limit = request.limit == 0 ? kMostEvents : std::min(request.limit, kMostEvents);
    return request.after ? journal_.history_after(*request.after, filter, limit)
                         : journal_.newest(filter, limit);
}

}  // namespace podlane::control
