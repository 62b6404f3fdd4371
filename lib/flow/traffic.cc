#include "lib/flow/traffic.h"

namespace podlane {

TrafficCounts::TrafficCounts(const FlowMemory& memory, uint32_t blocks, unsigned workers) noexcept
    : workers_(workers),
      arena_(memory, groups_for(blocks) * group_bytes(workers)),
      cells_(static_cast<Cell*>(arena_.data())) {}

FlowTraffic TrafficCounts::sum(uint32_t block) const noexcept {
    FlowTraffic out;
    for (unsigned worker = 0; worker < workers_; ++worker) {
        for (unsigned direction = 0; direction < 2; ++direction) {
            const Cell& each = cell(worker, block, direction);
            out.packets[direction] += each.packets.load(std::memory_order_relaxed);
            out.bytes[direction] += each.bytes.load(std::memory_order_relaxed);
        }
    }
    return out;
}

void TrafficCounts::reset(uint32_t block) noexcept {
    for (unsigned worker = 0; worker < workers_; ++worker) {
        for (unsigned direction = 0; direction < 2; ++direction) {
            Cell& each = cell(worker, block, direction);
            // Most workers have never touched it; nor must we, then.
            if (each.packets.load(std::memory_order_relaxed) == 0) continue;
            each.packets.store(0, std::memory_order_relaxed);
            each.bytes.store(0, std::memory_order_relaxed);
        }
    }
}

}  // namespace podlane
