// Packets and bytes from and to each other Node, by its number: counted only while somebody looks.
//
// Control makes one of these when it is first asked (Dataplane::count_peers()), and keeps it;
// workers add to it while control lets them (dataplane/peer_traffic.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/model/ingress.h"
#include "lib/telemetry/counter.h"

namespace podlane {

/// What all workers have counted of one Node; bytes of IP packets, with their headers, without a
/// tunnel's.
struct PeerTraffic {
    uint64_t rx_packets = 0, rx_bytes = 0;  ///< from the Node
    uint64_t tx_packets = 0, tx_bytes = 0;  ///< to the Node

    friend bool operator==(const PeerTraffic&, const PeerTraffic&) = default;
};

/// Threads: a worker adds to its own row; any thread reads. Numbers only grow, also when a Node's
/// number passes to another Node: readers remember where that one began.
class PeerCounts {
  public:
    struct Cell {
        Counter rx_packets, rx_bytes, tx_packets, tx_bytes;
    };
    /// One worker's cells, by NodeNumber: 256 KiB. The last one takes what has no number.
    struct alignas(kCacheLine) Row {
        std::array<Cell, size_t{kMaxNodeNumbers} + 1> cells;

        [[nodiscard]] Cell& of(NodeNumber node) noexcept {
            return cells[static_cast<size_t>(node)];
        }
    };

    /// `rows`: one for each worker, and one for control.
    explicit PeerCounts(unsigned rows) : rows_(rows) {}

    [[nodiscard]] Row& row(unsigned worker) noexcept { return rows_[worker]; }
    [[nodiscard]] PeerTraffic sum(NodeNumber node) const noexcept {
        PeerTraffic out;
        for (const Row& row : rows_) {
            const Cell& cell = row.cells[static_cast<size_t>(node)];
            out.rx_packets += cell.rx_packets.get();
            out.rx_bytes += cell.rx_bytes.get();
            out.tx_packets += cell.tx_packets.get();
            out.tx_bytes += cell.tx_bytes.get();
        }
        return out;
    }

  private:
    std::vector<Row> rows_;
};

}  // namespace podlane
