#include "lib/telemetry/snat_shortages.h"

#include <algorithm>
#include <cstring>

namespace podlane {

SnatShortages::Words SnatShortages::pack(const SnatTarget& target) noexcept {
    Words words;
    std::memcpy(&words[0], target.source.bytes.data(), 16);
    std::memcpy(&words[2], target.destination.bytes.data(), 16);
    words[4] = uint64_t{target.port} | uint64_t{target.protocol} << 16 |
               uint64_t{target.destination.is_v6} << 24;
    return words;
}

SnatTarget SnatShortages::unpack(const Words& words) noexcept {
    SnatTarget target;
    std::memcpy(target.source.bytes.data(), &words[0], 16);
    std::memcpy(target.destination.bytes.data(), &words[2], 16);
    target.port = static_cast<uint16_t>(words[4]);
    target.protocol = static_cast<uint8_t>(words[4] >> 16);
    target.source.is_v6 = target.destination.is_v6 = (words[4] >> 24 & 1) != 0;
    return target;
}

unsigned SnatShortages::find(const Words& words) const noexcept {
    if (refusals_ == 0) return kSlots;
    for (unsigned i = 0; i < kSlots; ++i) {
        const Slot& slot = slots_[i];
        if (slot.refused_at == 0) continue;
        size_t same = 0;
        while (same < words.size() &&
               slot.words[same].load(std::memory_order_relaxed) == words[same]) {
            ++same;
        }
        if (same == words.size()) return i;
    }
    return kSlots;
}

SnatShortages::Slot& SnatShortages::least_lately_refused() noexcept {
    return *std::min_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) {
        return a.refused_at < b.refused_at;
    });
}

bool SnatShortages::lacks(const SnatTarget& target) const noexcept {
    const unsigned at = find(pack(target));
    return at != kSlots && slots_[at].lacks;
}

void SnatShortages::refuse(const SnatTarget& target) noexcept {
    const Words words = pack(target);
    const unsigned at = find(words);
    Slot& slot = at != kSlots ? slots_[at] : least_lately_refused();
    if (at == kSlots) {
        const uint32_t version = slot.version.load(std::memory_order_relaxed);
        slot.version.store(version + 1, std::memory_order_relaxed);
        slot.refused.store(0, std::memory_order_release);
        for (size_t i = 0; i < words.size(); ++i) {
            slot.words[i].store(words[i], std::memory_order_release);
        }
        slot.version.store(version + 2, std::memory_order_release);  // pairs with read()
    }
    slot.refused.store(slot.refused.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    slot.refused_at = ++refusals_;
    slot.lacks = true;
}

void SnatShortages::relieve(const SnatTarget& target) noexcept {
    const unsigned at = find(pack(target));
    if (at != kSlots) slots_[at].lacks = false;
}

std::optional<SnatShortage> SnatShortages::read(unsigned at) const noexcept {
    const Slot& slot = slots_[at];
    const uint32_t before = slot.version.load(std::memory_order_acquire);  // pairs with refuse()
    if (before == 0 || before % 2 != 0) return std::nullopt;
    Words words;
    const uint64_t refused = slot.refused.load(std::memory_order_acquire);
    for (size_t i = 0; i < words.size(); ++i) {
        words[i] = slot.words[i].load(std::memory_order_acquire);
    }
    if (slot.version.load(std::memory_order_relaxed) != before) return std::nullopt;
    return SnatShortage{unpack(words), refused};
}

}  // namespace podlane
