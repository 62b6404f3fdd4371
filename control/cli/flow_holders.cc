#include "control/cli/flow_holders.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace podlane::control {

namespace {

/// The address of "10.244.1.5:40000", "[fd00::5]:40000" or an address alone.
std::string address_of(const std::string& end) {
    if (end.starts_with('[')) return end.substr(1, end.find(']') - 1);
    const size_t colon = end.find(':');
    return colon == end.rfind(':') ? end.substr(0, colon) : end;
}

}  // namespace

void FlowHolders::add(const nlohmann::ordered_json& flow) {
    const std::string from = address_of(flow.value("from", ""));
    auto found = by_sender_.find(from);
    if (found == by_sender_.end()) {
        FlowHolder fresh;
        if (by_sender_.size() == kMost) {
            const auto least = std::ranges::min_element(
                by_sender_, {}, [](const auto& entry) { return entry.second.flows; });
            fresh = std::move(least->second);
            by_sender_.erase(least);
        }
        found = by_sender_.emplace(from, std::move(fresh)).first;
    }
    FlowHolder& holder = found->second;
    holder.from = from;
    holder.in_port = flow.value("inPort", "");
    holder.last_to = flow.value("to", "");
    ++holder.flows;
}

std::vector<FlowHolder> FlowHolders::top(size_t count) const {
    std::vector<FlowHolder> out;
    for (const auto& [from, holder] : by_sender_) out.push_back(holder);
    std::ranges::stable_sort(out, std::greater{}, &FlowHolder::flows);
    if (out.size() > count) out.resize(count);
    return out;
}

}  // namespace podlane::control
