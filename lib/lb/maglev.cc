#include "lib/lb/maglev.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace podlane {

namespace {

constexpr uint16_t kFree = 0xffff;

uint32_t table_size(size_t count) noexcept {
    if (count >= 16384) return uint32_t{1} << 19;
    return static_cast<uint32_t>(std::clamp<size_t>(std::bit_ceil(count * 100), 256, 65536));
}

uint64_t mix(uint64_t x) noexcept {
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

}  // namespace

MaglevTable MaglevTable::build(std::span<const uint64_t> identities) {
    MaglevTable table;
    if (identities.size() < 2) return table;
    const uint32_t size = table_size(identities.size());
    const uint32_t mask = size - 1;
    table.slots_.assign(size, kFree);

    // Endpoints take turns by identity, not by position, so the order of the input does not matter.
    std::vector<uint16_t> order(identities.size());
    std::iota(order.begin(), order.end(), uint16_t{0});
    std::sort(order.begin(), order.end(),
              [&](uint16_t a, uint16_t b) { return identities[a] < identities[b]; });
    struct Walk {
        uint32_t next, skip;
    };
    std::vector<Walk> walks(identities.size());
    for (size_t i = 0; i < order.size(); ++i) {
        const uint64_t identity = identities[order[i]];
        walks[i] = {static_cast<uint32_t>(mix(identity)),
                    static_cast<uint32_t>(mix(identity ^ 0x5bd1e995u)) | 1};
    }
    uint16_t* const slots = table.slots_.data();
    for (uint32_t filled = 0;;) {
        for (size_t i = 0; i < walks.size(); ++i) {
            uint32_t next = walks[i].next;
            while (slots[next & mask] != kFree) next += walks[i].skip;
            walks[i].next = next;
            slots[next & mask] = order[i];
            if (++filled == size) return table;
        }
    }
}

}  // namespace podlane
