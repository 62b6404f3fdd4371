// The bridge's forwarding database: the port for each MAC address. Immutable, one per snapshot.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "lib/base/mac.h"

namespace podlane {

/// MAC address -> port index, open addressing at most half full.
/// Threads: built by control, then only read by any number of workers.
class Fdb {
  public:
    static constexpr uint16_t kMissing = 0xffff;

    Fdb() : Fdb(std::vector<std::pair<MacAddress, uint16_t>>{}) {}
    /// Built from pairs of MAC address and port; later pairs win.
    explicit Fdb(const std::vector<std::pair<MacAddress, uint16_t>>& entries)
        : slots_(std::bit_ceil(entries.size() * 2 + kMinSlots)),
          mask_(slots_.size() - 1),
          shift_(64 - std::countr_zero(slots_.size())) {
        for (const auto& [mac, port] : entries) {
            size_t at = hash(mac.as_u64());
            while (slots_[at].key != kEmpty && slots_[at].key != mac.as_u64())
                at = (at + 1) & mask_;
            slots_[at] = {mac.as_u64(), port};
        }
    }

    /// The port's index, or kMissing.
    [[nodiscard]] uint16_t find(const MacAddress& mac) const noexcept { return find(mac.as_u64()); }
    /// The same by MacAddress::as_u64().
    [[nodiscard]] uint16_t find(uint64_t key) const noexcept {
        for (size_t at = hash(key);; at = (at + 1) & mask_) {
            if (slots_[at].key == key) return slots_[at].port;
            if (slots_[at].key == kEmpty) return kMissing;
        }
    }

  private:
    static constexpr size_t kMinSlots = 16;
    static constexpr uint64_t kEmpty = ~uint64_t{0};  // no 48-bit address looks like this
    struct Slot {
        uint64_t key = kEmpty;
        uint16_t port = kMissing;
    };
    /// The product's upper bits depend on every byte of the address.
    [[nodiscard]] size_t hash(uint64_t key) const noexcept {
        return static_cast<size_t>(key * 0x9e3779b97f4a7c15u >> shift_);
    }

    std::vector<Slot> slots_;
    size_t mask_;
    int shift_;
};

}  // namespace podlane
