#include "control/neighbour/mac_table.h"

#include <algorithm>

namespace podlane::control {

void MacTable::add_static(const MacAddress& mac, PortId port) {
    static_[mac] = port;
    if (const auto at = learned_.find(mac); at != learned_.end()) {
        --count_[at->second.port];
        learned_.erase(at);
    }
}

bool MacTable::learn(const MacAddress& mac, PortId port, uint64_t now_ms) {
    if (mac.is_zero() || mac.is_multicast() || static_.contains(mac)) return false;
    const auto at = learned_.find(mac);
    if (at != learned_.end() && at->second.port == port) {
        at->second.learned_ms = now_ms;
        return false;
    }
    if (count_[port] >= kMaxPerPort) return false;
    if (at != learned_.end()) --count_[at->second.port];
    learned_[mac] = {port, now_ms};
    ++count_[port];
    next_deadline_ms_ = std::min(next_deadline_ms_, now_ms + kAgeMs);
    return true;
}

bool MacTable::tick(uint64_t now_ms) {
    if (now_ms < next_deadline_ms_) return false;
    bool changed = false;
    next_deadline_ms_ = UINT64_MAX;
    for (auto at = learned_.begin(); at != learned_.end();) {
        const uint64_t deadline = at->second.learned_ms + kAgeMs;
        if (deadline <= now_ms) {
            --count_[at->second.port];
            at = learned_.erase(at);
            changed = true;
        } else {
            next_deadline_ms_ = std::min(next_deadline_ms_, deadline);
            ++at;
        }
    }
    return changed;
}

void MacTable::remove_port(PortId port) {
    std::erase_if(static_, [port](const auto& entry) { return entry.second == port; });
    std::erase_if(learned_, [port](const auto& entry) { return entry.second.port == port; });
    count_.erase(port);
}

}  // namespace podlane::control
