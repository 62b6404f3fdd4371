#include "control/cli/talkers.h"

#include <algorithm>
#include <functional>

namespace podlane::control {

namespace {

uint64_t rank(const Talker& talker, TalkerOrder order) {
    switch (order) {
        case TalkerOrder::kPackets:
            return talker.packets;
        case TalkerOrder::kBytes:
            return talker.bytes;
        case TalkerOrder::kNewFlows:
            return talker.new_flows;
    }
    return 0;
}

}  // namespace

void Talkers::add(const Talker& packet, uint64_t weight) {
    auto found = by_sender_.find(packet.from);
    if (found == by_sender_.end()) {
        Talker fresh;
        if (by_sender_.size() == kMost) {
            const auto least = std::ranges::min_element(
                by_sender_, {}, [](const auto& entry) { return entry.second.packets; });
            // What the smallest one had counts for the newcomer: an upper bound.
            fresh = std::move(least->second);
            by_sender_.erase(least);
        }
        found = by_sender_.emplace(packet.from, std::move(fresh)).first;
    }
    Talker& talker = found->second;
    talker.from = packet.from;
    talker.in_port = packet.in_port;
    talker.last_to = packet.last_to;
    talker.packets += packet.packets * weight;
    talker.bytes += packet.bytes * weight;
    talker.new_flows += packet.new_flows * weight;
}

std::vector<Talker> Talkers::top(TalkerOrder order, size_t count) const {
    std::vector<Talker> out;
    for (const auto& [from, talker] : by_sender_) {
        if (rank(talker, order) > 0) out.push_back(talker);
    }
    std::ranges::stable_sort(out, std::greater{}, [&](const Talker& t) { return rank(t, order); });
    if (out.size() > count) out.resize(count);
    return out;
}

}  // namespace podlane::control
