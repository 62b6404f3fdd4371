// Packets and bytes of each connection, by direction: an array beside the blocks of the flow table.
//
// FlowTable has one if it was asked to count (FlowTableOptions::traffic); stage Forward adds to it,
// `get flows` and the flow log read it. Each worker has cells of its own, a page of them for a
// group of blocks, so that workers share no line and what is used grows with the blocks that are.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lib/flow/arena.h"

namespace podlane {

/// Of counts in memory that outlives the process: raised when another podlaned could not read what
/// this one writes.
inline constexpr uint32_t kTrafficForm = 1;

/// What a connection has carried, by FlowDirection.
struct FlowTraffic {
    uint64_t packets[2] = {};  ///< a large frame, whoever put it together, is one
    uint64_t bytes[2] = {};    ///< of IP packets, with their headers

    friend bool operator==(const FlowTraffic&, const FlowTraffic&) = default;
};

/// Threads: a worker adds to its own cells; reset() is for the worker that has the block to itself;
/// sum() is for anyone and may miss what is added meanwhile.
class TrafficCounts {
  public:
    /// One worker's count of one direction.
    struct Cell {
        std::atomic<uint64_t> packets;
        std::atomic<uint64_t> bytes;

        /// Relaxed, without a read-modify-write on the bus: there is one writer.
        void add(uint32_t l3_bytes) noexcept { add(1, l3_bytes); }
        void add(uint64_t more_packets, uint64_t more_bytes) noexcept {
            packets.store(packets.load(std::memory_order_relaxed) + more_packets,
                          std::memory_order_relaxed);
            bytes.store(bytes.load(std::memory_order_relaxed) + more_bytes,
                        std::memory_order_relaxed);
        }
    };
    static_assert(sizeof(Cell) == 16);

    /// Blocks whose cells stand together: of one worker they fill a page.
    static constexpr uint32_t kGroup = 128;

    [[nodiscard]] static constexpr uint32_t group_bytes(unsigned workers) noexcept {
        return static_cast<uint32_t>(sizeof(Cell) * 2 * kGroup) * workers;
    }
    [[nodiscard]] static constexpr uint64_t groups_for(uint64_t blocks) noexcept {
        return (blocks + kGroup - 1) / kGroup;
    }

    /// `memory` may hold what another process has counted in the same layout.
    TrafficCounts(const FlowMemory& memory, uint32_t blocks, unsigned workers) noexcept;
    [[nodiscard]] bool ok() const noexcept { return cells_ != nullptr; }

    [[nodiscard]] Cell& cell(unsigned worker, uint32_t block, unsigned direction) const noexcept {
        const size_t page = size_t{block / kGroup} * workers_ + worker;
        return cells_[(page * kGroup + block % kGroup) * 2 + direction];
    }
    [[nodiscard]] FlowTraffic sum(uint32_t block) const noexcept;
    /// For a new connection.
    void reset(uint32_t block) noexcept;

  private:
    unsigned workers_;
    FlowArena arena_;
    Cell* cells_;
};

}  // namespace podlane
