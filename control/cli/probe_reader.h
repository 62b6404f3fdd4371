// Reads a probe of podlaned until it has seen enough: what `capture` and `trace` have in common.
//
// Asks some twenty times a second and ends the probe, also on SIGINT and SIGTERM.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/cli/run.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Takes a packet of `probe.read`; false: enough.
using PacketSink = std::function<bool(const nlohmann::ordered_json& packet)>;

/// Called with the existing ports.
using ProbeReady = std::function<void(const nlohmann::ordered_json& ports)>;

struct ProbeOutcome {
    uint64_t missed = 0;  ///< packets that fit and were not taken
};

/// Starts it with `params` of `probe.start`. `ready` is called when it runs, `flush` when there are
/// no more packets for the moment; it returns false if the output is gone. Ends at `until` at the
/// latest.
[[nodiscard]] Result<ProbeOutcome> read_probe(
    RpcClient& client, const nlohmann::ordered_json& params,
    std::optional<std::chrono::steady_clock::time_point> until, const ProbeReady& ready,
    const PacketSink& sink, const std::function<bool()>& flush);

/// The pcap filter of the call: its words, and what --pod and --service stand for.
[[nodiscard]] Result<std::string> filter_text(const Invocation& call, RpcClient& client);

/// `filter` of probe.start: compiled here.
[[nodiscard]] Result<nlohmann::ordered_json> filter_lines(const std::string& text);

}  // namespace podlane::control
