#include "dataplane/memory_plan.h"

#include <algorithm>

#include "dataplane/ports/tap_io.h"
#include "lib/dpdk/plug.h"

namespace podlane::dataplane {

namespace {

/// Buffers of the large pool for each worker: 8 MiB.
constexpr size_t kLargeBuffers = 512;
/// Descriptor rings and other memory of the EAL, beside the packet pools.
constexpr uint64_t kEalSpareBytes = uint64_t{96} << 20;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHugepageBytes = uint64_t{2} << 20;

HugepageUse to_eal(HugepageMode mode) noexcept {
    switch (mode) {
        case HugepageMode::kAuto:
            return HugepageUse::kAuto;
        case HugepageMode::kOn:
            return HugepageUse::kOn;
        case HugepageMode::kOff:
            return HugepageUse::kOff;
    }
    return HugepageUse::kAuto;
}

}  // namespace

PacketPoolRequest pool_request(const RuntimeConfig& config) {
    PacketPoolRequest request;
    request.mbufs = config.mbufs;
    request.mbuf_bytes = config.mbuf_bytes;
    for (const UplinkRequest& uplink : config.uplinks) {
        const auto device = parse_device(uplink.device);
        if (!device || config.mbuf_bytes < uplink.mtu + kWholeFrameExtra) continue;
        const uint32_t whole = std::min<uint32_t>(whole_frame_buffer(*device, uplink.mtu), 65535);
        request.mbuf_bytes = std::max(request.mbuf_bytes, whole);
    }
    return request;
}

PacketPoolRequest large_pool_request(const RuntimeConfig& config) {
    PacketPoolRequest request;
    request.name = "large";
    request.mbufs =
        static_cast<uint32_t>(kLargeBuffers * std::max<size_t>(config.worker_cpus.size(), 1));
    request.mbuf_bytes = kLargeBufferBytes;
    return request;
}

EalRequest eal_request(const RuntimeConfig& config) {
    const PacketPoolRequest pool = pool_request(config);
    const PacketPoolRequest large = large_pool_request(config);
    const auto bytes = [&](uint64_t page) {
        return packet_pool_bytes(pool, page) + packet_pool_bytes(large, page) + kEalSpareBytes;
    };
    EalRequest request;
    request.hugepages = to_eal(config.hugepages);
    request.memory_bytes = bytes(kHugepageBytes);
    request.small_page_bytes = bytes(kPageBytes);
    request.extra_arguments = config.eal_arguments;
    return request;
}

}  // namespace podlane::dataplane
