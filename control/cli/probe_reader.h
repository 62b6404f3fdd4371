// Reads a probe of podlaned until it has seen enough: what `capture` and `trace` have in common.
//
// Asks some twenty times a second and ends the probe, also on SIGINT and SIGTERM.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "control/cli/run.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A node to ask, and the parameters of its `probe.start`.
struct ProbeSource {
    RpcClient client;
    nlohmann::ordered_json params;
};

/// Receives a packet of `probe.read` from the source with this number; returns false when it has
/// enough.
using PacketSink = std::function<bool(size_t source, const nlohmann::ordered_json& packet)>;

/// Called with the ports of the first source.
using ProbeReady = std::function<void(const nlohmann::ordered_json& ports)>;

struct ProbeOutcome {
    uint64_t missed = 0;  ///< packets that fit and were not taken
};

/// Starts the probes. Calls `ready` when all run, and `flush` after each round of reading; if that
/// returns false, there is enough, or the output is gone. Ends at `until` at the latest.
[[nodiscard]] Result<ProbeOutcome> read_probes(
    std::span<ProbeSource> sources, std::optional<std::chrono::steady_clock::time_point> until,
    const ProbeReady& ready, const PacketSink& sink, const std::function<bool()>& flush);

/// The call's pcap filter: its words, and the addresses for --pod and --service, taken from the
/// first source that knows them. With several nodes, packets to a Service's endpoints match as
/// well, because that is how all nodes but the first see its packets.
[[nodiscard]] Result<std::string> filter_text(const Invocation& call,
                                              std::span<ProbeSource> sources);

/// `filter` of probe.start: compiled here.
[[nodiscard]] Result<nlohmann::ordered_json> filter_lines(const std::string& text);

}  // namespace podlane::control
