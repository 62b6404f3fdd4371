// Sends the frames of a capture file at a steady rate: the other end of a memif link to podlaned.
//
// bench/latency.py runs it. Each line of standard input is a rate in packets a second, 0 for as
// fast as possible. At each line and at the end it prints "SENT REFUSED": the packets since the
// previous line that the link took, and those that it had no room for. No program in Debian sends
// over memif at a given rate: testpmd cannot, and memif has no `set port rate`.
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "lib/dpdk/eal.h"
#include "lib/dpdk/ethdev_port.h"
#include "lib/dpdk/mempool.h"

namespace {

using namespace podlane;

constexpr unsigned kBurst = 32;

struct Load {
    std::atomic<double> rate{-1};  ///< packets a second; below 0: none
    std::atomic<uint64_t> sent{0}, refused{0};
    std::atomic<bool> stop{false};
};

/// The frames of a pcap file (little endian, microseconds).
std::vector<std::string> read_frames(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> frames;
    for (size_t at = 24; at + 16 <= bytes.size();) {
        uint32_t length = 0;
        std::memcpy(&length, bytes.data() + at + 8, sizeof(length));
        frames.push_back(bytes.substr(at + 16, length));
        at += 16 + length;
    }
    return frames;
}

/// Sends `count` frames from `next` on; returns how many the link took.
unsigned send_burst(EthdevPort& port, rte_mempool* pool, const std::vector<std::string>& frames,
                    size_t& next, unsigned count) {
    std::array<rte_mbuf*, kBurst> mbufs;
    if (rte_pktmbuf_alloc_bulk(pool, mbufs.data(), count) != 0) return 0;
    for (unsigned i = 0; i < count; ++i) {
        const std::string& frame = frames[(next + i) % frames.size()];
        std::memcpy(rte_pktmbuf_append(mbufs[i], static_cast<uint16_t>(frame.size())), frame.data(),
                    frame.size());
    }
    const unsigned taken =
        rte_eth_tx_burst(port.ethdev_id(), 0, mbufs.data(), static_cast<uint16_t>(count));
    rte_pktmbuf_free_bulk(mbufs.data() + taken, count - taken);
    next = (next + taken) % frames.size();
    return taken;
}

void send_paced(EthdevPort& port, rte_mempool* pool, const std::vector<std::string>& frames,
                Load& load) {
    const auto hz = static_cast<double>(rte_get_tsc_hz());
    // Packets that were not sent when due, because this thread did not run, are not sent later.
    const double most_late = hz / 10'000;
    double due = 0;
    size_t next = 0;
    while (!load.stop.load(std::memory_order_relaxed)) {
        const double rate = load.rate.load(std::memory_order_relaxed);
        const auto now = static_cast<double>(rte_rdtsc());
        if (rate < 0 || (rate > 0 && now < due)) continue;
        unsigned count = kBurst;
        if (rate > 0) {
            due = std::max(due, now - most_late);
            const double gap = hz / rate;
            count = static_cast<unsigned>(std::min<double>(kBurst, (now - due) / gap + 1));
            due += count * gap;
        }
        const unsigned taken = send_burst(port, pool, frames, next, count);
        load.sent.fetch_add(taken, std::memory_order_relaxed);
        load.refused.fetch_add(count - taken, std::memory_order_relaxed);
    }
}

int fail(const std::string& message) {
    fmt::print(stderr, "paced_source: {}\n", message);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return fail("usage: paced_source MEMIF-SOCKET FRAMES.pcap");
    const auto frames = read_frames(argv[2]);
    if (frames.empty()) return fail(fmt::format("{}: no frames", argv[2]));
    PacketPoolRequest pool_request;
    pool_request.mbufs = 8192;
    EalRequest eal_request;
    eal_request.hugepages = HugepageUse::kOff;
    eal_request.memory_bytes = packet_pool_bytes(pool_request, 4096) + (uint64_t{64} << 20);
    const auto eal = start_eal(eal_request);
    if (!eal) return fail(eal.error().message);
    const auto pool = create_packet_pool(pool_request);
    if (!pool) return fail(pool.error().message);
    EthdevRequest request;
    request.name = "memif";
    request.device = fmt::format("net_memif0,role=client,socket={},socket-abstract=no", argv[1]);
    request.pool = pool->get();
    auto port = open_ethdev(request);
    if (!port) return fail(port.error().message);
    for (int tries = 0; port->link().state != LinkState::kUp; ++tries) {
        if (tries > 500) return fail("the link does not come up");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    Load load;
    // The main thread sends, because it has a cache of the pool.
    std::thread commands([&load] {
        fmt::print("ready\n");
        std::fflush(stdout);
        for (std::string line; std::getline(std::cin, line);) {
            load.rate.store(std::strtod(line.c_str(), nullptr), std::memory_order_relaxed);
            fmt::print("{} {}\n", load.sent.exchange(0), load.refused.exchange(0));
            std::fflush(stdout);
        }
        load.stop.store(true, std::memory_order_relaxed);
    });
    send_paced(*port, pool->get(), frames, load);
    commands.join();
    fmt::print("{} {}\n", load.sent.load(), load.refused.load());
    return 0;
}
