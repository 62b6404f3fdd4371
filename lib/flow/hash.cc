#include "lib/flow/hash.h"

#include <sys/random.h>

#include <chrono>

namespace podlane {

namespace {

/// The output function of splitmix64: spreads any number over 64 bits.
uint64_t spread(uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

}  // namespace

HashSecret make_hash_secret(uint64_t seed) noexcept {
    HashSecret secret{};
    const bool random =
        seed == 0 && getrandom(&secret, sizeof secret, GRND_NONBLOCK) == ssize_t{sizeof secret};
    if (!random) {
        // Early in boot there may be no entropy yet: the clock is better than a constant.
        if (seed == 0) {
            seed =
                static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
        }
        for (uint64_t& word : secret.word) word = spread(seed += 0x9e3779b97f4a7c15u);
    }
    // An even secret would lose the top bit of what it multiplies.
    for (uint64_t& word : secret.word) word |= 1;
    return secret;
}

}  // namespace podlane
