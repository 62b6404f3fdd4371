// Who sends most: heavy hitters out of a stream of sampled packets, in bounded memory.
//
// For `podlanectl top`. Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a new sender takes the
// place of the smallest one and its count, so whoever sends more than one in kMost packets is
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace podlane::control {

/// By what senders are ranked.
enum class TalkerOrder : uint8_t { kPackets, kBytes, kNewFlows };

struct Talker {
    std::string from;     ///< an address
    std::string in_port;  ///< by which it comes in
    std::string last_to;  ///< where its last packet went
    uint64_t packets = 0, bytes = 0, new_flows = 0;
};

class Talkers {
  public:
    static constexpr size_t kMost = 1024;

    /// A packet that stands for `weight` packets.
    void add(const Talker& packet, uint64_t weight);
    /// The largest first, at most `count`.
    [[nodiscard]] std::vector<Talker> top(TalkerOrder order, size_t count) const;
    void clear() { by_sender_.clear(); }

  private:
    std::map<std::string, Talker> by_sender_;
};

}  // namespace podlane::control
