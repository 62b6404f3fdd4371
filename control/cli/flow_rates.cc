#include "control/cli/flow_rates.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "control/cli/cell.h"

namespace podlane::control {

namespace {

/// Before a pass is complete, this many times the shown rates are kept.
constexpr size_t kSlack = 64;

}  // namespace

void FlowRates::add(const nlohmann::ordered_json& flow, double now_s) {
    if (!flow.contains("bytes")) return;
    FlowRate rate{cell(flow, "/protocol"), cell(flow, "/from"), cell(flow, "/to")};
    const Seen now{number_at(flow, "/packets") + number_at(flow, "/replyPackets"),
                   number_at(flow, "/bytes") + number_at(flow, "/replyBytes"), now_s};
    const double age_s = number_at(flow, "/ageSeconds");
    std::string key = rate.protocol + ' ' + rate.from + ' ' + rate.to;
    const auto found = before_.find(key);
    // A new connection on the same addresses and ports starts from zero.
    const bool is_known = found != before_.end() && found->second.bytes <= now.bytes &&
                          now_s - found->second.at_s <= age_s + 1;
    const Seen then = is_known ? found->second : Seen{0, 0, now_s - age_s};
    const double seconds = std::max(now_s - then.at_s, is_known ? 0.1 : 1.0);
    rate.packets = (now.packets - then.packets) / seconds;
    rate.bytes = (now.bytes - then.bytes) / seconds;
    if (now_.size() < kMost) now_.insert_or_assign(std::move(key), now);
    if (rate.packets <= 0) return;
    passing_.push_back(std::move(rate));
    if (passing_.size() >= kSlack * kShown) trim(passing_);
}

void FlowRates::end_pass() {
    trim(passing_);
    shown_ = std::exchange(passing_, {});
    before_ = std::exchange(now_, {});
}

void FlowRates::trim(std::vector<FlowRate>& rates) {
    if (rates.size() <= kShown) return;
    const auto by_bytes = rates.begin() + static_cast<std::ptrdiff_t>(kShown / 2);
    std::ranges::nth_element(rates, by_bytes, std::greater{}, &FlowRate::bytes);
    const auto by_packets = by_bytes + static_cast<std::ptrdiff_t>(kShown / 2);
    std::ranges::nth_element(by_bytes, by_packets, rates.end(), std::greater{}, &FlowRate::packets);
    rates.erase(by_packets, rates.end());
}

}  // namespace podlane::control
