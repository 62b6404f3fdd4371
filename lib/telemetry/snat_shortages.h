// Destinations towards which a worker found no free source port: a few of them, and what was
// refused there.
//
// The slow path checks it before it searches for a port, so a destination that is out of ports does
// not cost a search for each packet; control shows it. Of bounded size: the destination that was
// refused longest ago gives way to a new one; its refusals remain in the sum by drop reason.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>

#include "lib/base/bytes.h"
#include "lib/base/raw_address.h"

namespace podlane {

/// What connections have in common that differ only in their source port.
struct SnatTarget {
    RawAddress source;       ///< as the destination sees it
    RawAddress destination;  ///< for a Service, the endpoint
    uint16_t port = 0;       ///< destination port, host order; 0 if the protocol has none
    uint8_t protocol = 0;

    friend auto operator<=>(const SnatTarget&, const SnatTarget&) = default;
};

struct SnatShortage {
    SnatTarget target;
    uint64_t refused = 0;  ///< first packets of connections
};

/// Threads: the worker changes it; any thread may call read().
class SnatShortages {
  public:
    static constexpr unsigned kSlots = 32;

    /// Whether the last search for a port towards `target` found none.
    [[nodiscard]] bool lacks(const SnatTarget& target) const noexcept;
    /// Counts a refusal: no port was found, or no search was made.
    void refuse(const SnatTarget& target) noexcept;
    /// A port was found.
    void relieve(const SnatTarget& target) noexcept;

    /// The content of a slot below kSlots; none if it is unused or being given to another target.
    [[nodiscard]] std::optional<SnatShortage> read(unsigned slot) const noexcept;

  private:
    using Words = std::array<uint64_t, 5>;
    /// `version` is odd while words and count are replaced, 0 before the first use. By the words'
    /// release and acquire, a reader that saw a new word sees the version that was set before it.
    struct alignas(kCacheLine) Slot {
        std::atomic<uint32_t> version{0};
        bool lacks = false;       ///< for the worker alone
        uint64_t refused_at = 0;  ///< for the worker alone: order of refusals; 0: unused
        std::atomic<uint64_t> refused{0};
        std::array<std::atomic<uint64_t>, std::tuple_size_v<Words>> words{};
    };

    [[nodiscard]] static Words pack(const SnatTarget& target) noexcept;
    [[nodiscard]] static SnatTarget unpack(const Words& words) noexcept;
    /// The slot of the target; kSlots if there is none.
    [[nodiscard]] unsigned find(const Words& words) const noexcept;
    [[nodiscard]] Slot& least_lately_refused() noexcept;

    uint64_t refusals_ = 0;
    std::array<Slot, kSlots> slots_;
};

}  // namespace podlane
