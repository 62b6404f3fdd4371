#include "lib/dpdk/mempool.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace podlane {

namespace {

uint16_t private_bytes(const PacketPoolRequest& request) {
    return static_cast<uint16_t>(RTE_ALIGN_CEIL(request.private_bytes, RTE_MBUF_PRIV_ALIGN));
}

void unmap_chunk(rte_mempool_memhdr* chunk, void*) {
    ::munmap(chunk->addr, chunk->len);
}

/// As rte_pktmbuf_pool_create(), which takes the EAL's memory: that is a file's without hugepages,
/// each 4 kB of which costs a fault of its own. Null and rte_errno where there is none.
rte_mempool* create_in_own_memory(const std::string& name, const PacketPoolRequest& request,
                                  uint32_t cache) {
    constexpr size_t kLargePage = size_t{2} << 20;
    rte_pktmbuf_pool_private rooms{};
    rooms.mbuf_data_room_size = static_cast<uint16_t>(request.mbuf_bytes);
    rooms.mbuf_priv_size = private_bytes(request);
    const auto object =
        static_cast<uint32_t>(sizeof(rte_mbuf)) + rooms.mbuf_priv_size + rooms.mbuf_data_room_size;
    // No device wants a buffer within one page.
    rte_mempool* const pool =
        rte_mempool_create_empty(name.c_str(), request.mbufs, object, cache, sizeof(rooms),
                                 SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (pool == nullptr) return nullptr;
    const auto failed = [pool](int error) -> rte_mempool* {
        rte_mempool_free(pool);
        rte_errno = error;
        return nullptr;
    };
    if (const int wrong = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
        wrong != 0) {
        return failed(-wrong);
    }
    rte_pktmbuf_pool_init(pool, &rooms);
    const size_t whole = size_t{pool->header_size} + pool->elt_size + pool->trailer_size;
    const size_t bytes = RTE_ALIGN_CEIL(whole * request.mbufs + RTE_CACHE_LINE_SIZE, kLargePage);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return failed(ENOMEM);
    (void)::madvise(memory, bytes, MADV_HUGEPAGE);
    const int objects = rte_mempool_populate_iova(pool, static_cast<char*>(memory),
                                                  reinterpret_cast<rte_iova_t>(memory), bytes,
                                                  unmap_chunk, nullptr);
    if (objects < 0) ::munmap(memory, bytes);
    if (objects < static_cast<int>(request.mbufs)) return failed(ENOMEM);
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

}  // namespace

uint64_t packet_pool_bytes(const PacketPoolRequest& request, uint64_t page_bytes) {
    rte_mempool_objsz sizes{};
    const uint64_t object = rte_mempool_calc_obj_size(
        static_cast<uint32_t>(sizeof(rte_mbuf)) + private_bytes(request) + request.mbuf_bytes, 0,
        &sizes);
    // The ring of free buffers holds a power of two of pointers.
    const uint64_t ring = rte_align64pow2(uint64_t{request.mbufs} + 1) * sizeof(void*);
    const uint64_t chunks =
        (uint64_t{1} << 20) + uint64_t{RTE_MAX_LCORE} * sizeof(rte_mempool_cache);
    // As in rte_mempool_op_calc_mem_size_helper().
    const uint64_t in_page = page_bytes / object;
    const uint64_t pages = in_page > 0 ? (request.mbufs + in_page - 1) / in_page
                                       : request.mbufs * ((object + page_bytes - 1) / page_bytes);
    return pages * page_bytes + ring + chunks;
}

Result<PacketPool> create_packet_pool(const PacketPoolRequest& request) {
    static std::atomic<unsigned> made{0};
    const auto failed = [&](const std::string& why) {
        return Error{fmt::format("packet buffers ({} of {} bytes): {}", request.mbufs,
                                 request.mbuf_bytes, why)};
    };
    if (request.mbuf_bytes <= RTE_PKTMBUF_HEADROOM || request.mbuf_bytes > UINT16_MAX) {
        return failed(fmt::format("a buffer has {}-65535 bytes", RTE_PKTMBUF_HEADROOM + 1));
    }
    if (request.mbufs == 0) return failed("at least one is needed");
    // DPDK wants the pool to hold 1.5 caches; a quarter keeps one thread from hoarding a small
    // pool.
    const uint32_t cache =
        std::min<uint32_t>({request.cache_mbufs, RTE_MEMPOOL_CACHE_MAX_SIZE, request.mbufs / 4});
    const std::string name = fmt::format("{:.16}{}", request.name, made.fetch_add(1));
    rte_mempool* pool =
        request.own_memory
            ? create_in_own_memory(name, request, cache)
            : rte_pktmbuf_pool_create(name.c_str(), request.mbufs, cache, private_bytes(request),
                                      static_cast<uint16_t>(request.mbuf_bytes), SOCKET_ID_ANY);
    if (pool == nullptr) {
        return failed(rte_errno == ENOMEM ? "not enough memory; lower memory.mbufs"
                                          : rte_strerror(rte_errno));
    }
    return PacketPool(pool);
}

}  // namespace podlane
