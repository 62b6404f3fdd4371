#include "control/node/snat_watch.h"

#include <fmt/format.h>

#include <utility>

#include "control/node/counters.h"
#include "control/show/text.h"

namespace podlane::control {

namespace {

constexpr uint64_t kSnatLookMs = 1000;
constexpr uint64_t kWarnMs = 10'000;
constexpr uint64_t kProblemMs = 60'000;

std::string destination(const SnatTarget& target) {
    return endpoint_text(target.destination.to_ip(), target.port);
}

std::string sentence(const SnatTarget& target, uint64_t refused) {
    return fmt::format("no source port is free from {} to {} ({}): {} packet{} refused",
                       to_string(target.source.to_ip()), destination(target),
                       protocol_text(target.protocol), refused, refused == 1 ? "" : "s");
}

}  // namespace

std::vector<std::string> SnatWatch::look(const Dataplane& dataplane, uint64_t now_ms) {
    std::vector<std::string> lines;
    if (now_ms < look_again_ms_) return lines;
    look_again_ms_ = now_ms + kSnatLookMs;
    std::map<SnatTarget, Watched> next;
    for (const auto& [target, refused] : snat_refusals(dataplane)) {
        const auto known = watched_.find(target);
        Watched watched = known != watched_.end() ? known->second : Watched{};
        // If a worker has forgotten the destination, its count starts from zero again.
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
