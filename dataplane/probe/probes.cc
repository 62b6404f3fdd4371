#include "dataplane/probe/probes.h"

#include <string>
#include <utility>

namespace podlane::dataplane {

namespace {

/// What one look brings, so that control is not held up.
constexpr size_t kReadBytes = size_t{1} << 20;

}  // namespace

Result<ProbeId> Probes::start(ProbeRequest request) {
    if (probes_.size() == kMaxProbes) {
        return Error{std::to_string(kMaxProbes) +
                     " captures and traces are on already, the most that there can be"};
    }
    auto probe = Probe::create(std::move(request), workers_);
    if (!probe.ok()) return probe.error();
    const ProbeId id = ++last_id_;
    probes_[id] = std::move(probe).value();
    put_on();
    return id;
}

ProbeBatch Probes::read(ProbeId id, const Clock& clock) {
    ProbeBatch out;
    const auto found = probes_.find(id);
    if (found != probes_.end()) found->second->read(clock, kReadBytes, out);
    return out;
}

void Probes::stop(ProbeId id) {
    const auto found = probes_.find(id);
    if (found == probes_.end()) return;
    // Kept until no worker uses it.
    const std::shared_ptr<Probe> probe = std::move(found->second);
    probes_.erase(found);
    put_on();
}

void Probes::put_on() {
    auto next = std::make_unique<ProbeSet>();
    for (const auto& [id, probe] : probes_) next->probes[next->count++] = probe.get();
    const std::unique_ptr<const ProbeSet> old = std::exchange(set_, std::move(next));
    if (probes_.empty()) set_.reset();
    publish_(set_.get());
}

}  // namespace podlane::dataplane
