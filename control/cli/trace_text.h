// Traces: the records of one packet put together, and shown.
//
// For `podlanectl trace`; takes what probe.read answers (docs/rpc.md).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace podlane::control {

/// A packet's records: as it came in, then one for each stage.
using TracedPacket = std::vector<nlohmann::ordered_json>;

/// Puts records together that come interleaved. Bounded: a packet that never ends is forgotten.
class TraceAssembler {
  public:
    /// The whole packet with its last record.
    [[nodiscard]] std::optional<TracedPacket> add(const nlohmann::ordered_json& record);

  private:
    static constexpr size_t kMostOpen = 4096;
    std::map<uint64_t, TracedPacket> open_;
};

/// Several lines; `number` stands in front.
[[nodiscard]] std::string trace_text(const TracedPacket& packet, uint64_t number);
/// {packet, time, worker, inPort, summary, stages: [{stage, verdict, ..., changes}]}.
[[nodiscard]] nlohmann::ordered_json trace_json(const TracedPacket& packet);

}  // namespace podlane::control
