// The pool of packet buffers.
//
// The dataplane makes one at start for all ports and workers. Any registered thread allocates and
// frees, mostly from its own cache.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/result.h"

namespace podlane {

struct PacketPoolRequest {
    std::string name = "packets";  ///< made unique in the process
    uint32_t mbufs = 65536;        ///< buffers in all
    uint32_t mbuf_bytes = 2176;    ///< data room of one, RTE_PKTMBUF_HEADROOM included; <= 65535
    uint16_t private_bytes = 0;    ///< between the mbuf and its data; rounded up to 8
    uint32_t cache_mbufs = 256;    ///< kept by each thread, at least two bursts; lowered when the
                                   ///< pool is small
    /// Of the process's own memory, in large pages where the kernel gives them without being asked
    /// for hugepages; where the EAL has none. Not for devices that share buffers with another
    /// process, or with hardware.
    bool own_memory = false;
};

/// The memory that such a pool takes in pages of this size, metadata and rounding included; for
/// EalRequest. DPDK does not let a buffer cross a page if it fits within one: with small pages most
/// buffers take a page each.
[[nodiscard]] uint64_t packet_pool_bytes(const PacketPoolRequest& request, uint64_t page_bytes);

/// Frees the pool when destroyed: close every port that receives into it before.
class PacketPool {
  public:
    [[nodiscard]] rte_mempool* get() const noexcept { return pool_.get(); }
    [[nodiscard]] uint32_t mbufs() const noexcept { return pool_->size; }
    /// Free buffers; slow, for statistics.
    [[nodiscard]] uint32_t available() const noexcept { return rte_mempool_avail_count(get()); }

  private:
    friend Result<PacketPool> create_packet_pool(const PacketPoolRequest& request);
    struct Free {
        void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
    };
    explicit PacketPool(rte_mempool* pool) : pool_(pool) {}

    std::unique_ptr<rte_mempool, Free> pool_;
};

[[nodiscard]] Result<PacketPool> create_packet_pool(const PacketPoolRequest& request);

}  // namespace podlane
