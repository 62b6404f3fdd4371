// Compares Podlane's decisions about packets with the model's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "lib/lb/affinity.h"
#include "lib/model/snapshot.h"
#include "tests/property/contract/model.h"

namespace podlane::contract {

/// The judge for one node. It remembers which endpoints clients with session affinity had.
class Judge {
  public:
    /// "" if both agree, else both results in words. `seconds` since the last packet.
    [[nodiscard]] std::string compare(const Cluster& cluster, const Snapshot& snapshot,
                                      const Packet& packet, uint32_t seconds);
    /// How often session affinity left no choice although there were several endpoints.
    [[nodiscard]] uint64_t affinities_met() const noexcept { return met_; }

  private:
    struct Memory {
        IpAddress address;
        uint16_t port = 0;
        uint32_t until_s = 0;
        control::ObjectPtr<control::Service> service;
    };

    template <Family F>
    [[nodiscard]] std::string judge(const Snapshot& snapshot, const Expected& expected,
                                    const Packet& packet);
    [[nodiscard]] bool keeps_affinity(const Expected& expected, const Packet& packet,
                                      const Target& got);

    AffinityTables tables_{4096};
    std::map<std::pair<IpAddress, std::string>, Memory> clients_;
    uint32_t now_s_ = 1;
    uint64_t met_ = 0;
};

}  // namespace podlane::contract
