#include "control/node/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/ip_address.h"

namespace podlane::control {

namespace {

/// Of each kind of change, so many are named.
constexpr size_t kMostNamed = 8;

void append(std::string& text, const std::string& part) {
    text += (text.empty() ? "" : "; ") + part;
}

const EndpointSlice* slice_in(const std::optional<Object>& object) {
    if (!object) return nullptr;
    const auto* slice = std::get_if<ObjectPtr<EndpointSlice>>(&*object);
    return slice != nullptr ? slice->get() : nullptr;
}

/// Those that get connections: ready ones.
std::set<std::string> ready_in(const EndpointSlice* slice) {
    std::set<std::string> out;
    if (slice == nullptr) return out;
    for (const auto& endpoint : slice->endpoints) {
        if (endpoint.ready) out.insert(to_string(endpoint.address));
    }
    return out;
}

/// "endpoints of shop/web: +10.244.1.7 -10.244.1.6"; empty where the ready ones are the same.
std::string endpoints_text(const Change& change) {
    const EndpointSlice* const before = slice_in(change.before);
    const EndpointSlice* const after = slice_in(change.after);
    const EndpointSlice* const either = after != nullptr ? after : before;
    if (either == nullptr) return {};
    const auto old_ones = ready_in(before), new_ones = ready_in(after);
    std::string moved;
    size_t named = 0;
    const auto name = [&](char sign, const std::set<std::string>& of, const auto& other) {
        for (const std::string& address : of) {
            if (other.contains(address) || ++named > kMostNamed) continue;
            moved += fmt::format(" {}{}", sign, address);
        }
    };
    name('+', new_ones, old_ones);
    name('-', old_ones, new_ones);
    if (moved.empty()) return {};
    return fmt::format("endpoints of {}/{}:{}", change.key.name_space, either->service, moved);
}

void name_all(std::string& text, std::string_view verb, const std::vector<Change>& changes) {
    size_t named = 0;
    for (const Change& change : changes) {
        if (++named > kMostNamed) break;
        const std::string endpoints = endpoints_text(change);
        append(text,
               endpoints.empty() ? fmt::format("{} {}", verb, to_string(change.key)) : endpoints);
    }
    if (changes.size() > kMostNamed) {
        append(text, fmt::format("{} {} more", verb, changes.size() - kMostNamed));
    }
}

}  // namespace

void History::record(std::string_view what, std::string_view by, std::string text,
                     uint64_t generation) {
    if (text.size() > kMostBytes) text = text.substr(0, kMostBytes - 3) + "...";
    events_.push_back(
        {++last_, wall_ms_(), generation, std::string(what), std::string(by), std::move(text)});
    if (events_.size() > kCapacity) events_.pop_front();
}

HistoryPage History::read(uint64_t after, uint64_t since_ms, size_t limit) const {
    HistoryPage page;
    page.last = last_;
    const auto fits = [&](const HistoryEvent& event) {
        return event.number > after && event.time_ms >= since_ms;
    };
    const auto first = std::ranges::find_if(events_, fits);
    auto from = first;
    const auto count = static_cast<size_t>(events_.end() - first);
    if (limit != 0 && count > limit) from += static_cast<std::ptrdiff_t>(count - limit);
    page.events.assign(from, events_.end());
    // What was pushed out, and could have been meant.
    const uint64_t oldest = events_.empty() ? last_ + 1 : events_.front().number;
    if (since_ms == 0 && limit == 0 && oldest > after + 1) page.forgotten = oldest - after - 1;
    return page;
}

std::string change_text(const ChangeSet& objects) {
    std::string text;
    name_all(text, "added", objects.added);
    name_all(text, "changed", objects.changed);
    name_all(text, "removed", objects.removed);
    return text;
}

}  // namespace podlane::control
