// Traces of several nodes put together: a packet that leaves one node and comes in at another.
//
// For `podlanectl trace` with several sockets. A packet is recognised by what both nodes see
// unchanged of it (control/capture/packet_text.h, packet_identity()); the nodes' clocks are not
// compared.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "control/cli/trace_text.h"

namespace podlane::control {

/// A packet at one node.
struct NodeTrace {
    std::string node;
    TracedPacket packet;
};

/// A packet's path, node by node.
using TracedWay = std::vector<NodeTrace>;

/// Holds each packet for a moment, so that other nodes' records of it can arrive. Bounded: beyond
/// kMost the oldest leave as they are.
class TraceJoiner {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kWait{300};
    static constexpr size_t kMost = 4096;

    void add(NodeTrace trace, Clock::time_point now);
    /// The paths that are complete as far as is known; with `all`, every packet's.
    [[nodiscard]] std::vector<TracedWay> take(Clock::time_point now, bool all);

  private:
    struct Waiting {
        NodeTrace trace;
        std::string came, left;  ///< identities; empty: none
        Clock::time_point since;
    };
    using Place = std::deque<Waiting>::iterator;

    [[nodiscard]] Place before(const Waiting& packet);
    [[nodiscard]] Place behind(const Waiting& packet);

    std::deque<Waiting> waiting_;  ///< oldest first
};

/// Several lines; `number` is put in front.
[[nodiscard]] std::string way_text(const TracedWay& way, uint64_t number);
/// {way: [{node, packet, ...}]}, each as trace_json() has it.
[[nodiscard]] nlohmann::ordered_json way_json(const TracedWay& way);

}  // namespace podlane::control
