#include "control/node/feeder_watch.h"

#include <fmt/format.h>

#include <utility>

namespace podlane::control {

void FeederWatch::replaced(const std::string& owner, Connection connection, uint64_t now_ms) {
    Feeder& feeder = feeders_[owner];
    const bool is_same =
        !feeder.connection.owner_before(connection) && !connection.owner_before(feeder.connection);
    if (!is_same) feeder.since_ms = now_ms;
    feeder.connection = std::move(connection);
    feeder.gone_ms = 0;
    feeder.is_told = false;
}

std::vector<std::string> FeederWatch::look(uint64_t now_ms) {
    std::vector<std::string> lines;
    for (auto at = feeders_.begin(); at != feeders_.end();) {
        Feeder& feeder = at->second;
        if (!feeder.connection.expired()) {
            feeder.is_one = feeder.is_one || now_ms - feeder.since_ms >= kFeederMs;
        } else if (!feeder.is_one) {
            at = feeders_.erase(at);
            continue;
        } else if (feeder.gone_ms == 0) {
            feeder.gone_ms = now_ms;
        } else if (!feeder.is_told && now_ms - feeder.gone_ms >= kPatienceMs) {
            feeder.is_told = true;
            lines.push_back(fmt::format("the feeder of owner {} is gone", at->first));
        }
        ++at;
    }
    return lines;
}

std::vector<std::string> FeederWatch::problems(uint64_t now_ms) const {
    std::vector<std::string> lines;
    for (const auto& [owner, feeder] : feeders_) {
        if (feeder.gone_ms == 0 || now_ms - feeder.gone_ms < kPatienceMs) continue;
        lines.push_back(fmt::format(
            "owner {}: its feeder is gone for {} s, so its objects may be old; see that "
            "program's log (podlane-kube's, as a rule)",
            owner, (now_ms - feeder.gone_ms) / 1000));
    }
    return lines;
}

}  // namespace podlane::control
