#include "control/node/standstill.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podlane::control {

namespace {

/// "worker 0 stands still: send of uplink0".
std::string words_of(const StuckWorker& worker) {
    return fmt::format("worker {} stands still: {}{}{}", worker.id, worker.step,
                       worker.port.empty() ? "" : " of ", worker.port);
}

}  // namespace

std::vector<Standstill::News> Standstill::look(Dataplane& dataplane) {
    std::vector<News> news;
    std::map<unsigned, StuckWorker> now;
    for (StuckWorker& worker : dataplane.stuck_workers()) {
        if (!stuck_.contains(worker.id)) news.push_back({words_of(worker)});
        now.emplace(worker.id, std::move(worker));
    }
    for (const auto& [id, worker] : stuck_) {
        if (now.contains(id)) continue;
        news.push_back(
            {fmt::format("worker {} goes on after {} s", id, worker.still_ms / 1000), true});
    }
    stuck_ = std::move(now);
    return news;
}

std::vector<std::string> Standstill::problems() const {
    std::vector<std::string> lines;
    for (const auto& [id, worker] : stuck_) {
        lines.push_back(fmt::format("{}, for {} s", words_of(worker), worker.still_ms / 1000));
    }
    return lines;
}

std::vector<std::string> Standstill::notices(uint64_t generation) const {
    std::vector<std::string> lines;
    for (const auto& [id, worker] : stuck_) {
        lines.push_back(fmt::format("{}; it takes over generation {} when it goes on",
                                    words_of(worker), generation));
    }
    if (lines.empty()) {
        lines.push_back(
            fmt::format("a worker has not taken over generation {} yet; it is busy, or stands "
                        "still: podlanectl health says so",
                        generation));
    }
    return lines;
}

uint64_t Standstill::still_ms(unsigned worker) const {
    const auto at = stuck_.find(worker);
    return at == stuck_.end() ? 0 : at->second.still_ms;
}

bool Standstill::is_hopeless() const noexcept {
    return std::any_of(stuck_.begin(), stuck_.end(),
                       [](const auto& entry) { return entry.second.still_ms >= kHopelessMs; });
}

}  // namespace podlane::control
