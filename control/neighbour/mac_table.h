// The MAC addresses that the bridge has learned behind pod ports, in addition to the pods' own.
//
// Pure; time is a parameter. The node model feeds it (control thread); its content
// goes into the snapshot's FDB.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "lib/base/mac.h"
#include "lib/model/ids.h"

namespace podlane::control {

/// Learned and static MAC addresses. A static one (a pod's own, the gateway's) is never learned
/// elsewhere. Workers report only what the FDB does not have, so an entry's age is the time since
/// it was learned; one in use is learned again with the first frame after it has aged out.
/// Threads: one. Times in milliseconds.
class MacTable {
  public:
    static constexpr size_t kMaxPerPort = 256;
    static constexpr uint64_t kAgeMs = 300'000;  ///< IEEE 802.1D's default

    struct Learned {
        PortId port = kNoPort;
        uint64_t learned_ms = 0;
    };

    /// Excludes the address from learning, and forgets where it was learned.
    void add_static(const MacAddress& mac, PortId port);

    /// True if the FDB changed: a new address, or one that moved.
    [[nodiscard]] bool learn(const MacAddress& mac, PortId port, uint64_t now_ms);
    /// Drops what is too old; true if anything was.
    [[nodiscard]] bool tick(uint64_t now_ms);
    /// Forgets all of a port, static ones too.
    void remove_port(PortId port);

    [[nodiscard]] const std::map<MacAddress, Learned>& learned() const noexcept { return learned_; }

  private:
    std::map<MacAddress, PortId> static_;
    std::map<MacAddress, Learned> learned_;
    std::map<PortId, size_t> count_;
    uint64_t next_deadline_ms_ = UINT64_MAX;
};

}  // namespace podlane::control
