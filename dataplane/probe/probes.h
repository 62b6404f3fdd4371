// Control's side of the active probes.
//
// Owned by the runtime; control thread. Waits for no worker: what a worker may still use is kept
// until its grace period has passed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/probe/probe.h"
#include "dataplane/shared.h"
#include "lib/base/result.h"
#include "lib/border/probe.h"

namespace podlane::dataplane {

class Probes final : public PacketProbes {
  public:
    /// `shared` must outlive this, and its workers must have ended before.
    explicit Probes(Shared& shared) : shared_(shared) {}

    Result<ProbeId> start_probe(ProbeRequest request) override;
    ProbeBatch read_probe(ProbeId id) override;
    void stop_probe(ProbeId id) override;
    void free_stopped_probes() override;

  private:
    /// What was taken from the workers, and the grace period after which none has it.
    struct Retired {
        uint64_t token = 0;
        std::unique_ptr<const ProbeSet> set;
        std::shared_ptr<Probe> probe;
    };
    /// Publishes the active probes. `gone`: the probe that was just removed, or null.
    void put_on(std::shared_ptr<Probe> gone);

    Shared& shared_;
    std::map<ProbeId, std::shared_ptr<Probe>> probes_;
    std::unique_ptr<const ProbeSet> set_;  ///< published to workers; null: none
    std::vector<Retired> retired_;
    ProbeId last_id_ = 0;
};

}  // namespace podlane::dataplane
