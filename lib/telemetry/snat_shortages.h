// Towards whom a worker found no source port free: a few destinations, and what was refused there.
//
// The slow path asks it before it searches for a port, so that a destination that has run out costs
// no search for each packet; control shows it. Of bounded size: the destination that was refused
// least lately gives way to a new one, and what was refused there stays in the sum by drop reason.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>

#include "lib/base/bytes.h"
#include "lib/base/raw_address.h"

namespace podlane {

/// What connections have in common that only their source port tells apart.
struct SnatTarget {
    RawAddress source;       ///< as the destination sees it
    RawAddress destination;  ///< of a Service, the endpoint
    uint16_t port = 0;       ///< of the destination, host order; 0 where the protocol has none
    uint8_t protocol = 0;

    friend auto operator<=>(const SnatTarget&, const SnatTarget&) = default;
};

struct SnatShortage {
    SnatTarget target;
    uint64_t refused = 0;  ///< packets that were to begin a connection
};

/// Threads: the worker changes it; read() is for anybody.
class SnatShortages {
  public:
    static constexpr unsigned kSlots = 32;

    /// Whether the last search for a port towards `target` found none.
    [[nodiscard]] bool lacks(const SnatTarget& target) const noexcept;
    /// Counts a refusal: no port was found, or none was searched for.
    void refuse(const SnatTarget& target) noexcept;
    /// A port was found.
    void relieve(const SnatTarget& target) noexcept;

    /// What stands in a slot below kSlots; nothing while it is unused or given to another target.
    [[nodiscard]] std::optional<SnatShortage> read(unsigned slot) const noexcept;

  private:
    using Words = std::array<uint64_t, 5>;
    /// `version` is odd while words and count are replaced, 0 before the first use. The words'
    /// release and acquire make a reader that saw a new word see the version that was before it.
    struct alignas(kCacheLine) Slot {
        std::atomic<uint32_t> version{0};
        bool lacks = false;       ///< the worker's own
        uint64_t refused_at = 0;  ///< the worker's own: in the order of refusals; 0: unused
        std::atomic<uint64_t> refused{0};
        std::array<std::atomic<uint64_t>, std::tuple_size_v<Words>> words{};
    };

    [[nodiscard]] static Words pack(const SnatTarget& target) noexcept;
    [[nodiscard]] static SnatTarget unpack(const Words& words) noexcept;
    /// kSlots when it is nowhere.
    [[nodiscard]] unsigned find(const Words& words) const noexcept;
    [[nodiscard]] Slot& least_lately_refused() noexcept;

    uint64_t refusals_ = 0;
    std::array<Slot, kSlots> slots_;
};

}  // namespace podlane
