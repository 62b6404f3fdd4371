// A connection in memory: what the fast path reads, and what only the slow path and ageing use.
//
// One block holds both directions' entries and the shared state, so one direction finds the other
// by address arithmetic. An established packet touches only its own entry. Workers only, and
// readers that are online in the table's QuiescentDomain.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/flow/rewrite.h"
#include "lib/flow/tcp_state.h"
#include "lib/flow/timeouts.h"
#include "lib/proto/flow_key.h"

namespace podlane {

/// Bits of a packed Hop: adjacency, ingress, epoch.
inline constexpr unsigned kHopAdjacencyBits = 18;
inline constexpr unsigned kHopIngressBits = 14;
/// For a direction without packets so far and without a predictable ingress: its first packet is
/// checked.
inline constexpr uint16_t kUnknownIngress = (1u << kHopIngressBits) - 1;

/// Where a flow's packets go to and come from, and the topology epoch of that decision.
struct Hop {
    uint32_t topology_epoch;
    uint32_t adjacency;                  ///< 0: not resolved yet; at most kHopAdjacencyBits
    uint16_t ingress = kUnknownIngress;  ///< lib/model/ingress.h: the only one allowed

    friend constexpr bool operator==(Hop, Hop) noexcept = default;
    [[nodiscard]] constexpr uint64_t packed() const noexcept {
        return uint64_t{topology_epoch} << 32 | uint64_t{ingress} << kHopAdjacencyBits | adjacency;
    }
    [[nodiscard]] static constexpr Hop unpacked(uint64_t word) noexcept {
        constexpr uint32_t kAdjacency = (1u << kHopAdjacencyBits) - 1;
        return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word) & kAdjacency,
                static_cast<uint16_t>(static_cast<uint32_t>(word) >> kHopAdjacencyBits)};
    }
    /// The part of a packed Hop that is compared for each packet: all but the adjacency.
    [[nodiscard]] static constexpr uint64_t condition_of(uint64_t word) noexcept {
        return word >> kHopAdjacencyBits;
    }
    /// The condition under which a Hop of this epoch is valid for packets from ingress 0; another
    /// ingress is combined by bitwise or.
    [[nodiscard]] static constexpr uint64_t condition(uint32_t epoch) noexcept {
        return uint64_t{epoch} << kHopIngressBits;
    }
};
static_assert(kHopAdjacencyBits + kHopIngressBits == 32);

/// Bits of FlowEntry::flags beside RewriteFlags; the first two are the same in both directions.
enum EntryFlags : uint8_t {
    /// Packets must compare service_epoch with the snapshot's: UDP follows its endpoints at once.
    kEntryCheckService = 0x20,
    /// This node itself opened it, which no pod's NetworkPolicy can forbid.
    kEntryFromNode = 0x40,
    /// It is the reply direction's entry.
    kEntryReply = 0x80,
};
static_assert(((kRewriteTranslates | kRewriteDecrementTtl) &
               (kEntryCheckService | kEntryFromNode | kEntryReply)) == 0);

/// The part of a Rewrite that an entry keeps. IPv4: all of it, so that a packet touches one line.
/// IPv6: the checksum change; addresses and ports are in the opposite key, see rewrite_of().
template <Family F>
using KeptRewrite = std::conditional_t<std::same_as<F, V4>, Rewrite<V4>, ChecksumDelta>;

/// One direction of a connection: all that its established packets need.
///
/// Threads: key, flags and `kept` are written before either entry of the connection is published,
/// and do not change until every reader has passed a quiescent point after its removal, so plain
/// reads are safe. The atomics change in place; they do not depend on each other, so relaxed
/// accesses suffice everywhere.
template <Family F>
struct alignas(kCacheLine) FlowEntry {
    FlowKey<F> key;
    std::atomic<uint64_t> hop;            ///< Hop::packed(); epoch and index cannot be torn apart
    std::atomic<uint32_t> service_epoch;  ///< the service's epoch when the endpoint was chosen
    std::atomic<uint32_t> service_id;     ///< the service with that epoch; 0: none
    std::atomic<uint32_t> last_seen;      ///< seconds of the worker clock
    std::atomic<uint8_t> established;     ///< nonzero: see needs_state()
    uint8_t flags;                        ///< EntryFlags and RewriteFlags
    KeptRewrite<F> kept;

    [[nodiscard]] FlowDirection direction() const noexcept {
        return static_cast<FlowDirection>(place());
    }
    /// Its index in its block, which is its direction.
    [[nodiscard]] unsigned place() const noexcept {
        static_assert(kEntryReply == 0x80);
        return flags >> 7;
    }
    /// What the rewrite changes: only RewriteFlags.
    [[nodiscard]] uint8_t rewrite_flags() const noexcept {
        return flags & (kRewriteTranslates | kRewriteDecrementTtl);
    }
    /// Sets the rewrite, and this entry's flags from it. Before the entry is published.
    void keep(const Rewrite<F>& rewrite) noexcept {
        flags = rewrite.flags;
        if constexpr (std::same_as<F, V4>) {
            kept = rewrite;
        } else {
            kept = rewrite.l4;
        }
    }

    /// Notes a packet at `now_s`. Writes at most once a second, so that workers can share the line.
    void touch(uint32_t now_s) noexcept {
        if (last_seen.load(std::memory_order_relaxed) != now_s) {
            last_seen.store(now_s, std::memory_order_relaxed);
        }
    }
    [[nodiscard]] Hop current_hop() const noexcept {
        return Hop::unpacked(hop.load(std::memory_order_relaxed));
    }
    void set_hop(Hop next) noexcept { hop.store(next.packed(), std::memory_order_relaxed); }

    /// True when this packet must go through Connection::note_packet(): until this direction has
    /// been seen and TCP is established, and for every segment with SYN, FIN or RST. `tcp_flags` is
    /// 0 for other protocols than TCP.
    [[nodiscard]] bool needs_state(uint8_t tcp_flags) const noexcept {
        return established.load(std::memory_order_relaxed) == 0 || can_change_state(tcp_flags);
    }
};
static_assert(sizeof(FlowEntry<V4>) == kCacheLine && sizeof(FlowEntry<V6>) == kCacheLine);

/// What a block is used for; the lower two bits of ConnectionState::life.
enum class Life : uint32_t {
    kFree = 0,
    kInserting = 1,  ///< one entry may be visible, the other not yet
    kLive = 2,       ///< both entries are visible
    kDead = 3,       ///< being removed, or waiting for its grace period
};

/// What both directions of a connection share and established packets do not touch.
///
/// Threads: protocol, created_s, owner, holders and the hashes as FlowEntry's plain members. `life`
/// goes from kLive to kDead by compare-and-swap: the winner removes the connection. Its upper 30
/// bits count the block's uses, so that an old reference to the block can be told from one to its
/// present connection.
struct alignas(kCacheLine) ConnectionState {
    std::atomic<uint32_t> life;
    uint64_t hash[2];  ///< of the entries' keys
    uint64_t retire_token;
    std::atomic<uint32_t> next;        ///< block index + 1 in a list of free or retired blocks
    std::atomic<uint32_t> next_batch;  ///< first block + 1 of the next batch of free blocks
    uint32_t created_s;
    uint8_t protocol;
    uint8_t owner;  ///< the worker that made it
    std::atomic<TcpState> tcp_state;
    std::atomic<uint8_t> seen;  ///< bit 0: a packet of the original direction, bit 1: of the reply
    uint16_t holders[2];        ///< the holders that it counts for: lib/flow/shares.h

    [[nodiscard]] static constexpr Life life_of(uint32_t word) noexcept {
        return static_cast<Life>(word & 3);
    }
    [[nodiscard]] static constexpr uint32_t generation_of(uint32_t word) noexcept {
        return word >> 2;
    }
    [[nodiscard]] bool is_live() const noexcept {
        // Pairs with the release that ends FlowTable::insert().
        return life_of(life.load(std::memory_order_acquire)) == Life::kLive;
    }
    [[nodiscard]] bool replied() const noexcept {
        return seen.load(std::memory_order_relaxed) == 3;
    }
};
static_assert(sizeof(ConnectionState) == 64);

/// The outcome of Connection::note_packet().
enum class Noted : uint8_t {
    kNothing,
    kShorterTimeout,  ///< the caller must call FlowTable::reschedule()
    /// The segment is a SYN that begins a new connection on the same addresses and ports: the
    /// caller removes this one and takes the slow path. Nothing was changed.
    kReplaced,
};

/// Both directions and their state: one block.
template <Family F>
struct alignas(kCacheLine) Connection {
    FlowEntry<F> entry[2];  ///< by FlowDirection
    ConnectionState state;

    [[nodiscard]] FlowEntry<F>& original() noexcept { return entry[0]; }
    [[nodiscard]] FlowEntry<F>& reply() noexcept { return entry[1]; }
    [[nodiscard]] const FlowEntry<F>& original() const noexcept { return entry[0]; }
    [[nodiscard]] const FlowEntry<F>& reply() const noexcept { return entry[1]; }

    /// The second at which the last packet of either direction was seen.
    [[nodiscard]] uint32_t last_seen_s() const noexcept {
        const uint32_t a = entry[0].last_seen.load(std::memory_order_relaxed);
        const uint32_t b = entry[1].last_seen.load(std::memory_order_relaxed);
        return static_cast<int32_t>(a - b) > 0 ? a : b;
    }
    /// Seconds of silence after which the connection is removed.
    [[nodiscard]] uint32_t timeout_seconds(const FlowTimeouts& timeouts) const noexcept {
        return timeouts.of(state.protocol, state.tcp_state.load(std::memory_order_relaxed),
                           state.replied());
    }

    /// Tracks a packet for which FlowEntry::needs_state() holds. `tcp_flags` is 0 for other
    /// protocols than TCP.
    [[nodiscard]] Noted note_packet(FlowDirection direction, uint8_t tcp_flags,
                                    const FlowTimeouts& timeouts) noexcept;
};
static_assert(sizeof(Connection<V4>) == 192 && sizeof(Connection<V6>) == 192);

/// The block that holds an entry.
template <Family F>
[[nodiscard]] inline Connection<F>& connection_of(FlowEntry<F>& entry) noexcept {
    // Entries are the first members of their block, in the order of their directions.
    return *reinterpret_cast<Connection<F>*>(&entry - entry.place());
}

template <Family F>
[[nodiscard]] inline FlowEntry<F>& opposite_of(FlowEntry<F>& entry) noexcept {
    return connection_of(entry).entry[entry.place() ^ 1];
}

template <Family F>
[[nodiscard]] inline const FlowEntry<F>& opposite_of(const FlowEntry<F>& entry) noexcept {
    return opposite_of(const_cast<FlowEntry<F>&>(entry));
}

/// Prefetches the other line that rewrite_of() reads, if it will.
template <Family F>
[[gnu::always_inline]] inline void prefetch_rewrite(const FlowEntry<F>& entry) noexcept {
    if constexpr (std::same_as<F, V6>) {
        if ((entry.flags & kRewriteTranslates) != 0) __builtin_prefetch(&opposite_of(entry));
    }
}

/// The rewrite for packets of `entry`, by reference for IPv4. An IPv6 rewrite is put together from
/// the opposite key, which says, read backwards, what packets look like after the rewrite.
[[nodiscard, gnu::always_inline]] inline const Rewrite<V4>& rewrite_of(
    const FlowEntry<V4>& entry) noexcept {
    return entry.kept;
}
[[nodiscard, gnu::always_inline]] inline Rewrite<V6> rewrite_of(
    const FlowEntry<V6>& entry) noexcept {
    const FlowKey<V6>& to = opposite_of(entry).key;
    return {to.dst, to.src, to.dst_port, to.src_port, entry.kept, {}, entry.flags};
}

namespace detail {

/// Out of line, so that plain packets have their rewrite in registers.
template <Family F>
[[gnu::noinline]] void apply_any_rewrite_of(uint8_t* frame, const Headers& headers,
                                            const FlowEntry<F>& entry, CsumState csum) noexcept {
    apply_any_rewrite<F>(frame, headers, rewrite_of(entry), csum);
}

}  // namespace detail

/// apply_rewrite() with the entry's rewrite.
template <Family F>
[[gnu::always_inline]] inline void apply_rewrite(uint8_t* frame, const Headers& headers,
                                                 const FlowEntry<F>& entry,
                                                 CsumState csum) noexcept {
    if (detail::is_plain(headers, csum)) [[likely]] {
        ChecksumDelta header;
        if constexpr (std::same_as<F, V4>) header = entry.kept.header;
        detail::rewrite_plain<F>(frame, headers, entry.flags, header,
                                 [&]() -> decltype(auto) { return rewrite_of(entry); });
        return;
    }
    detail::apply_any_rewrite_of<F>(frame, headers, entry, csum);
}

extern template Noted Connection<V4>::note_packet(FlowDirection, uint8_t,
                                                  const FlowTimeouts&) noexcept;
extern template Noted Connection<V6>::note_packet(FlowDirection, uint8_t,
                                                  const FlowTimeouts&) noexcept;

}  // namespace podlane
