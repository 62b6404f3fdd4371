// Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): chooses the endpoint of a
// connection, so that nodes agree without talking and a change moves few connections.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace podlane {

/// The lookup table for one set of endpoints. Immutable after build().
class MaglevTable {
  public:
    MaglevTable() = default;

    /// Builds the table for endpoints identified by `identities` (a hash of address and port each;
    /// the order of the span is the order of the indexes that pick() returns, and does not change
    /// which identity a hash gets). Fewer than two identities give an empty table. At most 65535.
    /// Size: the smallest power of two that is at least 100 times the count (at most 1 % imbalance;
    /// section 5.3 of the paper), at least 256 and at most 65536 below 16384 endpoints.
    ///
    /// The paper uses a prime size, so that any skip visits all slots. With a power of two an odd
    /// skip does, moves as few connections (the unit test has the bound), and a step is an addition
    /// and a mask: half the time.
    [[nodiscard]] static MaglevTable build(std::span<const uint64_t> identities);

    /// The index of the endpoint for this hash; the table must not be empty.
    [[nodiscard]] uint32_t pick(uint32_t hash) const noexcept {
        // Multiply-shift avoids a division; the hash's upper bits decide.
        const uint64_t slot = (uint64_t{hash} * slots_.size()) >> 32;
        return slots_[static_cast<size_t>(slot)];
    }
    [[nodiscard]] size_t size() const noexcept { return slots_.size(); }
    [[nodiscard]] std::span<const uint16_t> slots() const noexcept { return slots_; }

  private:
    std::vector<uint16_t> slots_;
};

}  // namespace podlane
