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

/// A node that is asked, and the parameters of its `probe.start`.
struct ProbeSource {
    RpcClient client;
    nlohmann::ordered_json params;
};

/// Takes a packet of `probe.read` from the source with this number; false: enough.
using PacketSink = std::function<bool(size_t source, const nlohmann::ordered_json& packet)>;

/// Is told of the ports that the first source has.
using ProbeReady = std::function<void(const nlohmann::ordered_json& ports)>;

struct ProbeOutcome {
    uint64_t missed = 0;  ///< packets that fit and were not taken
};

/// Starts them. `ready` is called when all run, `flush` after each round of reading; false of it:
/// enough, or the output is gone. Ends at `until` at the latest.
[[nodiscard]] Result<ProbeOutcome> read_probes(
    std::span<ProbeSource> sources, std::optional<std::chrono::steady_clock::time_point> until,
    const ProbeReady& ready, const PacketSink& sink, const std::function<bool()>& flush);

/// The pcap filter of the call: its words, and what --pod and --service stand for, of which the
/// first source knows that has it. Of several nodes a Service's packets are also those to its
/// endpoints, which is how all but the first see them.
[[nodiscard]] Result<std::string> filter_text(const Invocation& call,
                                              std::span<ProbeSource> sources);

/// `filter` of probe.start: compiled here.
[[nodiscard]] Result<nlohmann::ordered_json> filter_lines(const std::string& text);

}  // namespace podlane::control
