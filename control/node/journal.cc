#include "control/node/journal.h"

#include <algorithm>
#include <set>
#include <utility>

namespace podlane::control {

void Journal::add(std::string_view kind, NewsType type, std::string_view name,
                  std::string_view text) {
    if (news_.size() == kCapacity) news_.pop_front();
    news_.push_back({++last_, std::string(kind), type, std::string(name), std::string(text)});
}

bool Journal::reaches(uint64_t cursor) const noexcept {
    return cursor <= last_ && cursor + news_.size() >= last_;
}

Journal::Page Journal::after(uint64_t cursor, const std::set<std::string>& kinds,
                             size_t limit) const {
    const auto first = std::ranges::upper_bound(news_, cursor, {}, &News::cursor);
    std::vector<News> out;
    Page page;
    page.cursor = cursor;
    for (auto at = first; at != news_.end() && out.size() < limit; ++at) {
        if (kinds.contains(at->kind)) out.push_back(*at);
        page.cursor = at->cursor;
    }
    // Whatever an item went through meanwhile, what it is now is asked for only once.
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (auto at = out.rbegin(); at != out.rend(); ++at) {
        const bool is_event = !at->text.empty();
        if (is_event || seen.emplace(at->kind, at->name).second) page.news.push_back(*at);
    }
    std::ranges::reverse(page.news);
    return page;
}

}  // namespace podlane::control
