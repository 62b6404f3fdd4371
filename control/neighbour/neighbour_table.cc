#include "control/neighbour/neighbour_table.h"

#include <algorithm>

namespace podlane::control {

void NeighbourTable::schedule(Neighbour& neighbour, uint64_t deadline_ms) {
    neighbour.deadline_ms = deadline_ms;
    next_deadline_ms_ = std::min(next_deadline_ms_, deadline_ms);
}

Neighbour* NeighbourTable::insert(const NeighbourKey& key, NeighbourOutcome& out) {
    size_t& count = count_[key.port];
    if (count >= kMaxPerPort) {
        auto oldest = table_.end();
        for (auto at = table_.lower_bound({key.port, {}});
             at != table_.end() && at->first.port == key.port; ++at) {
            if (at->second.state == NeighbourState::kStatic || is_wanted(at->first)) continue;
            if (oldest == table_.end() ||
                at->second.last_needed_ms < oldest->second.last_needed_ms) {
                oldest = at;
            }
        }
        if (oldest == table_.end()) return nullptr;
        // It only matters if the snapshot contains it.
        out.changed = out.changed || oldest->second.state != NeighbourState::kIncomplete;
        table_.erase(oldest);
        --count;
    }
    ++count;
    return &table_[key];
}

void NeighbourTable::add_static(const NeighbourKey& key, const MacAddress& mac) {
    const auto [at, is_new] = table_.try_emplace(key);
    if (is_new) ++count_[key.port];
    at->second = {};
    at->second.state = NeighbourState::kStatic;
    at->second.mac = mac;
}

void NeighbourTable::restore(const NeighbourKey& key, const MacAddress& mac, uint64_t now_ms) {
    if (mac.is_zero() || mac.is_multicast() || table_.contains(key)) return;
    if (count_[key.port] >= kMaxPerPort) return;
    ++count_[key.port];
    Neighbour& neighbour = table_[key];
    neighbour.state = NeighbourState::kReachable;
    neighbour.mac = mac;
    neighbour.last_needed_ms = now_ms;
    schedule(neighbour, now_ms);
}

void NeighbourTable::ask_first(const NeighbourKey& key, Neighbour& neighbour, uint64_t now_ms,
                               NeighbourOutcome& out) {
    neighbour.state = NeighbourState::kIncomplete;
    neighbour.attempts = 1;
    schedule(neighbour, now_ms + kFirstRetryMs);
    out.solicitations.push_back({key, {}});
}

void NeighbourTable::confirm(Neighbour& neighbour, uint64_t now_ms) {
    neighbour.state = NeighbourState::kReachable;
    neighbour.has_answered = true;
    neighbour.confirmed_ms = now_ms;
    neighbour.attempts = 0;
    // Spread out, so that the neighbours of a large link are not all probed at the same moment.
    std::uniform_int_distribution<uint64_t> refresh(kReachableMs / 2, kReachableMs * 8 / 10);
    schedule(neighbour, now_ms + refresh(random_));
}

NeighbourOutcome NeighbourTable::needed(const NeighbourKey& key, uint64_t now_ms) {
    NeighbourOutcome out;
    const auto at = table_.find(key);
    if (at == table_.end()) {
        Neighbour* fresh = insert(key, out);
        if (fresh == nullptr) return out;
        fresh->last_needed_ms = now_ms;
        ask_first(key, *fresh, now_ms, out);
        return out;
    }
    // Other states need nothing: requests are under way, or the answer is here and the worker has
    // not seen the snapshot yet.
    at->second.last_needed_ms = now_ms;
    return out;
}

NeighbourOutcome NeighbourTable::seen(const NeighbourKey& key, const MacAddress& mac,
                                      bool solicited, uint64_t now_ms) {
    NeighbourOutcome out;
    if (mac.is_zero() || mac.is_multicast()) return out;
    const auto at = table_.find(key);
    if (at == table_.end() || at->second.state == NeighbourState::kStatic) return out;
    Neighbour& neighbour = at->second;
    out.changed = !neighbour.is_resolved() || neighbour.mac != mac;
    // An unsolicited message proves that the sender can reach us, not that we can reach it. It does
    // not postpone the next probe (RFC 4861 section 7.2.5) unless it brings something new.
    if (solicited || out.changed) {
        neighbour.mac = mac;
        confirm(neighbour, now_ms);
    }
    return out;
}

NeighbourOutcome NeighbourTable::set_wanted(std::set<NeighbourKey> wanted, uint64_t now_ms) {
    NeighbourOutcome out;
    std::swap(wanted_, wanted);
    for (const NeighbourKey& key : wanted_) {
        if (!wanted.contains(key) && !table_.contains(key)) out.add(needed(key, now_ms));
    }
    // From now on these live as long as packets need them.
    for (const NeighbourKey& key : wanted) {
        if (const auto at = table_.find(key); at != table_.end() && !is_wanted(key)) {
            at->second.last_needed_ms = now_ms;
        }
    }
    return out;
}

bool NeighbourTable::expire(const NeighbourKey& key, Neighbour& neighbour, uint64_t now_ms,
                            NeighbourOutcome& out) {
    const bool wanted = is_wanted(key);
    switch (neighbour.state) {
        case NeighbourState::kStatic:
            return true;
        case NeighbourState::kIncomplete:
            if (neighbour.attempts >= kMulticastTries) {
                neighbour.state = NeighbourState::kFailed;
                out.changed = true;
                schedule(neighbour, now_ms + kFailedMs);
                return true;
            }
            schedule(neighbour, now_ms + (kFirstRetryMs << neighbour.attempts));
            ++neighbour.attempts;
            out.solicitations.push_back({key, {}});
            return true;
        case NeighbourState::kReachable:
            if (!wanted && now_ms - neighbour.last_needed_ms >= kUnusedMs) {
                out.changed = true;
                return false;
            }
            neighbour.state = NeighbourState::kProbing;
            neighbour.attempts = 0;
            [[fallthrough]];
        case NeighbourState::kProbing:
            if (neighbour.attempts >= kUnicastTries + kMulticastTries) {
                neighbour.state = NeighbourState::kFailed;
                out.changed = true;
                schedule(neighbour, now_ms + kFailedMs);
                return true;
            }
            // If a neighbour's MAC changed silently, it answers only broadcast or multicast ones:
            // the later ones, or all if it is from an earlier process and has not answered this
            // one.
            out.solicitations.push_back(
                {key, neighbour.attempts < kUnicastTries && neighbour.has_answered ? neighbour.mac
                                                                                   : MacAddress{}});
            ++neighbour.attempts;
            schedule(neighbour, now_ms + kProbeIntervalMs);
            return true;
        case NeighbourState::kFailed:
            if (!wanted) {
                out.changed = true;
                return false;
            }
            // It stays failed, so that senders get an error at once.
            out.solicitations.push_back({key, {}});
            schedule(neighbour, now_ms + kFailedMs);
            return true;
    }
    return true;
}

NeighbourOutcome NeighbourTable::tick(uint64_t now_ms) {
    NeighbourOutcome out;
    if (now_ms < next_deadline_ms_) return out;
    next_deadline_ms_ = UINT64_MAX;
    for (auto at = table_.begin(); at != table_.end();) {
        Neighbour& neighbour = at->second;
        if (neighbour.state == NeighbourState::kStatic) {
            ++at;
        } else if (neighbour.deadline_ms > now_ms) {
            next_deadline_ms_ = std::min(next_deadline_ms_, neighbour.deadline_ms);
            ++at;
        } else if (expire(at->first, neighbour, now_ms, out)) {
            ++at;
        } else {
            --count_[at->first.port];
            at = table_.erase(at);
        }
    }
    return out;
}

bool NeighbourTable::remove_port(PortId port) {
    std::erase_if(wanted_, [port](const NeighbourKey& key) { return key.port == port; });
    count_.erase(port);
    return std::erase_if(table_, [port](const auto& entry) { return entry.first.port == port; }) >
           0;
}

const Neighbour* NeighbourTable::find(const NeighbourKey& key) const {
    const auto at = table_.find(key);
    return at != table_.end() ? &at->second : nullptr;
}

}  // namespace podlane::control
