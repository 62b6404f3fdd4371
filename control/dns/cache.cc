#include "control/dns/cache.h"

#include <utility>

namespace podlane::control {

DnsCache::Found DnsCache::find(const DnsQuestion& question, uint64_t now_ms) {
    const auto at = by_question_.find(question);
    if (at == by_question_.end()) return {};
    const Entry& entry = *at->second;
    if (entry.until_ms <= now_ms) {
        entries_.erase(at->second);
        by_question_.erase(at);
        return {};
    }
    entries_.splice(entries_.begin(), entries_, at->second);
    return {entry.message, static_cast<uint32_t>((now_ms - entry.from_ms) / 1000)};
}

void DnsCache::insert(const DnsQuestion& question, std::shared_ptr<const DnsMessage> message,
                      uint32_t seconds, uint64_t now_ms) {
    if (seconds == 0) return;
    const uint64_t until_ms = now_ms + uint64_t{seconds} * 1000;
    if (const auto at = by_question_.find(question); at != by_question_.end()) {
        entries_.erase(at->second);
        by_question_.erase(at);
    }
    entries_.push_front({question, std::move(message), now_ms, until_ms});
    by_question_[question] = entries_.begin();
    if (entries_.size() <= most_) return;
    by_question_.erase(entries_.back().question);
    entries_.pop_back();
}

}  // namespace podlane::control
