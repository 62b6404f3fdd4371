#include "lib/lb/maglev.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace podlane {

namespace {

constexpr std::array<uint32_t, 9> kPrimes = {251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65537};
constexpr uint16_t kFree = 0xffff;

uint32_t table_size(size_t count) noexcept {
    for (const uint32_t prime : kPrimes) {
        if (prime >= count * 100) return prime;
    }
    return count < 16384 ? 65537 : 655373;
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
    table.slots_.assign(size, kFree);

    // Turns go by identity, not by position, so that the order of the input decides nothing.
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
        walks[i] = {static_cast<uint32_t>(mix(identity) % size),
                    static_cast<uint32_t>(mix(identity ^ 0x5bd1e995u) % (size - 1) + 1)};
    }
    for (uint32_t filled = 0;;) {
        for (size_t i = 0; i < walks.size(); ++i) {
            Walk& walk = walks[i];
            while (table.slots_[walk.next] != kFree) {
                walk.next += walk.skip;
                if (walk.next >= size) walk.next -= size;
            }
            table.slots_[walk.next] = order[i];
            if (++filled == size) return table;
        }
    }
}

}  // namespace podlane
