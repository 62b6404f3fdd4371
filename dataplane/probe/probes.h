// The probes that are on: control's side of them.
//
// Owned by the runtime; control thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "dataplane/probe/probe.h"
#include "lib/base/result.h"

namespace podlane::dataplane {

class Probes {
  public:
    /// `publish` gives workers another set, null for none, and returns when none of them has the
    /// one before any more.
    Probes(unsigned workers, std::function<void(const ProbeSet*)> publish)
        : workers_(workers), publish_(std::move(publish)) {}

    [[nodiscard]] Result<ProbeId> start(ProbeRequest request);
    [[nodiscard]] ProbeBatch read(ProbeId id, const Clock& clock);
    void stop(ProbeId id);

  private:
    void put_on();

    const unsigned workers_;
    const std::function<void(const ProbeSet*)> publish_;
    std::map<ProbeId, std::shared_ptr<Probe>> probes_;
    std::unique_ptr<const ProbeSet> set_;  ///< what workers have; null: none
    ProbeId last_id_ = 0;
};

}  // namespace podlane::dataplane
