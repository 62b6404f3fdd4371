#include "control/node/journal.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

namespace podlane::control {

namespace {

/// Its approximate memory use.
size_t bytes_of(const News& news) noexcept {
    return sizeof(News) + news.name.size() + news.text.size() + news.about.size() + news.by.size();
}

}  // namespace

bool NewsFilter::matches(const News& news) const noexcept {
    if (news.text.empty()) return false;
    // "web" is that of any namespace.
    const auto is_it = [this](std::string_view whole) {
        return whole == name ||
               (name.find('/') == name.npos && whole.size() > name.size() &&
                whole.ends_with(name) && whole[whole.size() - name.size() - 1] == '/');
    };
    const bool is_named = name.empty() || is_it(news.name) || is_it(news.about) ||
                          (name.ends_with('/') && news.name.starts_with(name));
    return is_named && (kinds.empty() || kinds.contains(news.shown_kind())) &&
           (by.empty() || news.by == by) && news.time_ms >= since_ms &&
           (until_ms == 0 || news.time_ms < until_ms);
}

void Journal::add(News news) {
    news.cursor = ++last_;
    bytes_ += bytes_of(news);
    news_.push_back(std::move(news));
    while (news_.size() > kCapacity || bytes_ > kMostBytes) {
        bytes_ -= bytes_of(news_.front());
        news_.pop_front();
        has_lost_ = true;
    }
}

bool Journal::reaches(uint64_t cursor) const noexcept {
    return cursor <= last_ && cursor + news_.size() >= last_;
}

std::deque<News>::const_iterator Journal::behind(uint64_t cursor) const {
    return std::ranges::upper_bound(news_, cursor, {}, &News::cursor);
}

uint64_t Journal::kept_from_ms() const noexcept {
    return has_lost_ && !news_.empty() ? news_.front().time_ms : 0;
}

Journal::Page Journal::after(uint64_t cursor, const std::set<std::string>& kinds,
                             size_t limit) const {
    std::vector<News> out;
    Page page;
    page.cursor = cursor;
    for (auto at = behind(cursor); at != news_.end() && out.size() < limit; ++at) {
        if (kinds.contains(std::string(at->kind))) out.push_back(*at);
        page.cursor = at->cursor;
    }
    // Whatever happened to an item in between, its current state is only asked for once.
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (auto at = out.rbegin(); at != out.rend(); ++at) {
        if (at->kind == kEventNews || seen.emplace(at->kind, at->name).second) {
            page.news.push_back(*at);
        }
    }
    std::ranges::reverse(page.news);
    return page;
}

History Journal::newest(const NewsFilter& filter, size_t limit) const {
    History history;
    history.cursor = last_;
    history.kept_from_ms = kept_from_ms();
    for (auto at = news_.rbegin(); at != news_.rend(); ++at) {
        if (!filter.matches(*at)) continue;
        if (history.events.size() < limit) {
            history.events.push_back(*at);
        } else {
            ++history.left_out;
        }
    }
    std::ranges::reverse(history.events);
    return history;
}

History Journal::history_after(uint64_t cursor, const NewsFilter& filter, size_t limit) const {
    History history;
    history.cursor = last_;
    history.is_torn = !reaches(cursor);
    // Another process's cursor is above or below all of ours.
    for (auto at = history.is_torn ? news_.begin() : behind(cursor); at != news_.end(); ++at) {
        if (!filter.matches(*at)) continue;
        if (history.events.size() == limit) {
            history.cursor = history.events.back().cursor;
            break;
        }
        history.events.push_back(*at);
    }
    return history;
}

uint64_t microseconds_since_1970() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace podlane::control
