// Packets that come in fragments: what is known of each packet, and fragments that wait for their
// first one.
//
// Each worker has its own bounded memory: kSets x kWays packets for each family, and kHeld waiting
// fragments. Fragments are not reassembled: a later one is given the ports of the first, and goes
// its way by itself (docs/decisions/fragments.md).
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/packet.h"
#include "lib/model/ids.h"
#include "lib/proto/fragment_ranges.h"
#include "lib/telemetry/counters.h"

namespace podlane::dataplane {

/// A later fragment that came before its first.
struct HeldFragment {
    rte_mbuf* mbuf;
    uint16_t next;
    PortId in_port;
    uint8_t flags;     ///< PacketFlags
    UpperLayer upper;  ///< once the first has come
};

/// Held fragments in order of arrival.
struct FragmentList {
    static constexpr uint16_t kEnd = 0xffff;
    uint16_t head = kEnd;
    uint16_t tail = kEnd;
    uint16_t count = 0;
};

/// One packet that comes in fragments.
template <Family F>
struct FragmentedPacket {
    FlowKey<F> key;         ///< fragment_key()
    uint64_t until_ms = 0;  ///< when it is forgotten; 0: unused
    FragmentRanges ranges;
    uint32_t first_bytes = 0;  ///< of the first fragment; 0: it has not come
    UpperLayer upper;          ///< once the first has come
    bool spoiled = false;      ///< fragments overlapped: all others are dropped (RFC 5722)
    FragmentList waiting;

    [[nodiscard]] bool has_first() const noexcept { return first_bytes != 0; }
};

/// Threads: one worker.
class Fragments {
  public:
    /// How long the fragments of a packet may take to arrive.
    static constexpr uint64_t kLifeMs = 2000;
    static constexpr unsigned kSets = 128;
    static constexpr unsigned kWays = 8;
    static constexpr unsigned kHeld = 1024;
    /// A packet of 64 KiB has 53 fragments of 1,280 bytes.
    static constexpr unsigned kHeldPerPacket = 64;

    /// Losses are counted in `counters`.
    explicit Fragments(WorkerCounters& counters) noexcept;
    ~Fragments();
    Fragments(const Fragments&) = delete;
    Fragments& operator=(const Fragments&) = delete;

    /// The packet with this fragment_key() and its `hash`, or null.
    template <Family F>
    [[nodiscard]] FragmentedPacket<F>* find(const FlowKey<F>& key, uint64_t hash,
                                            uint64_t now_ms) noexcept;
    /// The same, but makes a new one if there is none. It takes the place of one that is over,
    /// complete, or the oldest in its set.
    template <Family F>
    [[nodiscard]] FragmentedPacket<F>& find_or_make(const FlowKey<F>& key, uint64_t hash,
                                                    uint64_t now_ms) noexcept;
    /// Records a fragment; any result but Drop::kNone: it must be dropped.
    template <Family F>
    [[nodiscard]] Drop note(FragmentedPacket<F>& of, const FragmentPart& part, bool is_first,
                            uint64_t now_ms) noexcept;
    /// Holds a fragment until its first one comes. False: there is no room.
    template <Family F>
    [[nodiscard]] bool hold(FragmentedPacket<F>& of, const Packet& packet) noexcept;
    /// The first fragment has come: those held for it are ready.
    template <Family F>
    void release(FragmentedPacket<F>& of) noexcept;

    /// Whether any fragment is held, ready or not.
    [[nodiscard]] bool holds_any() const noexcept { return held_count_ > 0; }
    [[nodiscard]] unsigned held() const noexcept { return held_count_; }
    /// Takes a fragment that is ready; false when there is none.
    [[nodiscard]] bool take_ready(HeldFragment& out) noexcept;
    /// Drops held fragments if their first one did not come in time. Looks every kScanMs.
    void expire(uint64_t now_ms) noexcept;

  private:
    static constexpr uint64_t kScanMs = 100;
    template <Family F>
    using Table = std::array<std::array<FragmentedPacket<F>, kWays>, kSets>;

    template <Family F>
    [[nodiscard]] Table<F>& table() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4_;
        } else {
            return v6_;
        }
    }
    template <Family F>
    void begin(FragmentedPacket<F>& of, const FlowKey<F>& key, uint64_t now_ms) noexcept;
    template <Family F>
    void expire_family(uint64_t now_ms) noexcept;
    void drop_all(FragmentList& list, Drop reason) noexcept;
    [[nodiscard]] uint16_t pop(FragmentList& list) noexcept;

    WorkerCounters& counters_;
    unsigned held_count_ = 0;
    uint64_t next_scan_ms_ = 0;
    FragmentList free_;
    FragmentList ready_;
    std::array<HeldFragment, kHeld> slots_{};
    Table<V4> v4_{};
    Table<V6> v6_{};
};

}  // namespace podlane::dataplane
