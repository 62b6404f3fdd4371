// Probes without packets: remember what control asks for, return what a test sets.
#pragma once

#include <utility>
#include <vector>

#include "lib/border/probe.h"

namespace podlane {

class FakeProbes final : public PacketProbes {
  public:
    std::vector<ProbeRequest> started;
    std::vector<ProbeId> stopped;
    ProbeBatch batch;  ///< for the next read

    Result<ProbeId> start_probe(ProbeRequest request) override {
        started.push_back(std::move(request));
        return static_cast<ProbeId>(started.size());
    }
    ProbeBatch read_probe(ProbeId) override { return std::exchange(batch, {}); }
    void stop_probe(ProbeId id) override { stopped.push_back(id); }
    void free_stopped_probes() override {}
};

}  // namespace podlane
