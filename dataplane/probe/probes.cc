#include "dataplane/probe/probes.h"

#include <algorithm>
#include <string>
#include <utility>

namespace podlane::dataplane {

namespace {

/// What one read returns at most, so that control is not held up.
constexpr size_t kReadBytes = size_t{1} << 20;
/// Retired sets that a worker may still hold. More pile up only if a worker stands still.
constexpr size_t kMostRetired = 16;

}  // namespace

Result<ProbeId> Probes::start_probe(ProbeRequest request) {
    if (probes_.size() == kMaxProbes) {
        return Error{std::to_string(kMaxProbes) +
                     " captures and traces are on already, the most that there can be"};
    }
    free_stopped_probes();
    if (retired_.size() >= kMostRetired) {
        return Error{"a worker that stands still holds what was captured before"};
    }
    auto probe = Probe::create(std::move(request), shared_.workers);
    if (!probe.ok()) return probe.error();
    const ProbeId id = ++last_id_;
    probes_[id] = std::move(probe).value();
    put_on(nullptr);
    return id;
}

ProbeBatch Probes::read_probe(ProbeId id) {
    ProbeBatch out;
    const auto found = probes_.find(id);
    if (found != probes_.end()) found->second->read(shared_.clock, kReadBytes, out);
    // Records come worker by worker; a reader that stops at a number of packets means the first
    // ones in time.
    std::ranges::stable_sort(out.records, {}, &ProbeRecord::time_ns);
    return out;
}

void Probes::stop_probe(ProbeId id) {
    const auto found = probes_.find(id);
    if (found == probes_.end()) return;
    std::shared_ptr<Probe> probe = std::move(found->second);
    probes_.erase(found);
    put_on(std::move(probe));
}

void Probes::free_stopped_probes() {
    std::erase_if(retired_,
                  [this](const Retired& each) { return shared_.domain.passed(each.token); });
}

void Probes::put_on(std::shared_ptr<Probe> gone) {
    std::unique_ptr<const ProbeSet> next;
    if (!probes_.empty()) {
        auto set = std::make_unique<ProbeSet>();
        for (const auto& [id, probe] : probes_) set->probes[set->count++] = probe.get();
        next = std::move(set);
    }
    // Pairs with the acquire in Worker::begin_turn().
    shared_.probes.store(next.get(), std::memory_order_release);
    retired_.push_back(
        {shared_.domain.start_grace(), std::exchange(set_, std::move(next)), std::move(gone)});
}

}  // namespace podlane::dataplane
