#include "control/daemon/snat_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/daemon/live_view.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kLookMs = 1000;
constexpr uint64_t kWarnMs = 10'000;
constexpr uint64_t kProblemMs = 60'000;

/// What each destination was refused, by all workers.
std::map<SnatTarget, uint64_t> sum_up(const Dataplane& dataplane) {
    std::map<SnatTarget, uint64_t> sums;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const SnatShortages& shortages = dataplane.counters(worker.id).snat_shortages;
        for (unsigned slot = 0; slot < SnatShortages::kSlots; ++slot) {
            if (const auto shortage = shortages.read(slot)) {
                sums[shortage->target] += shortage->refused;
            }
        }
    }
    return sums;
}

std::string destination(const SnatTarget& target) {
    return endpoint_text(target.destination.to_ip(), target.port);
}

std::string sentence(const SnatTarget& target, uint64_t refused) {
    return fmt::format("no source port is free from {} to {} ({}): {} packet{} refused",
                       to_string(target.source.to_ip()), destination(target),
                       protocol_text(target.protocol), refused, refused == 1 ? "" : "s");
}

}  // namespace

Json snat_json(const Dataplane& dataplane) {
    uint64_t tries = 0;
    for (const WorkerInfo& worker : dataplane.workers()) {
        tries += dataplane.counters(worker.id).snat_tries.get();
    }
    const auto sums = sum_up(dataplane);
    std::vector<std::pair<SnatTarget, uint64_t>> sorted(sums.begin(), sums.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    Json exhausted = Json::array();
    for (const auto& [target, refused] : sorted) {
        exhausted.push_back({{"protocol", protocol_text(target.protocol)},
                             {"from", to_string(target.source.to_ip())},
                             {"to", destination(target)},
                             {"refused", refused}});
    }
    return {{"tries", tries}, {"exhausted", std::move(exhausted)}};
}

std::vector<std::string> SnatWatch::look(const Dataplane& dataplane, uint64_t now_ms) {
    std::vector<std::string> lines;
    if (now_ms < look_again_ms_) return lines;
    look_again_ms_ = now_ms + kLookMs;
    std::map<SnatTarget, Watched> next;
    for (const auto& [target, refused] : sum_up(dataplane)) {
        const auto known = watched_.find(target);
        Watched watched = known != watched_.end() ? known->second : Watched{};
        // A worker that has forgotten the destination meanwhile counts it from nothing again.
        if (refused < watched.refused) watched = {};
        if (refused > watched.refused) watched.grew_ms = now_ms;
        watched.refused = refused;
        const bool is_due = watched.warned_refused == 0 || now_ms - watched.warned_ms >= kWarnMs;
        if (refused > watched.warned_refused && is_due) {
            lines.push_back(sentence(target, refused - watched.warned_refused));
            watched.warned_refused = refused;
            watched.warned_ms = now_ms;
        }
        next.emplace(target, watched);
    }
    watched_ = std::move(next);
    return lines;
}

std::vector<std::string> SnatWatch::problems(uint64_t now_ms) const {
    std::vector<std::string> lines;
    for (const auto& [target, watched] : watched_) {
        if (now_ms - watched.grew_ms < kProblemMs) {
            lines.push_back(sentence(target, watched.refused) + " so far");
        }
    }
    return lines;
}

}  // namespace podlane::control
