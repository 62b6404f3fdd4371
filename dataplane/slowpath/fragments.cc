#include "dataplane/slowpath/fragments.h"

namespace podlane::dataplane {

namespace {

void append(std::array<HeldFragment, Fragments::kHeld>& slots, FragmentList& list,
            uint16_t slot) noexcept {
    slots[slot].next = FragmentList::kEnd;
    if (list.head == FragmentList::kEnd) {
        list.head = slot;
    } else {
        slots[list.tail].next = slot;
    }
    list.tail = slot;
    ++list.count;
}

}  // namespace

Fragments::Fragments(WorkerCounters& counters) noexcept : counters_(counters) {
    for (uint16_t i = 0; i < kHeld; ++i) append(slots_, free_, i);
}

Fragments::~Fragments() {
    for (const HeldFragment& slot : slots_) rte_pktmbuf_free(slot.mbuf);
}

uint16_t Fragments::pop(FragmentList& list) noexcept {
    const uint16_t slot = list.head;
    if (slot == FragmentList::kEnd) return slot;
    list.head = slots_[slot].next;
    --list.count;
    return slot;
}

void Fragments::drop_all(FragmentList& list, Drop reason) noexcept {
    for (uint16_t slot = pop(list); slot != FragmentList::kEnd; slot = pop(list)) {
        HeldFragment& held = slots_[slot];
        counters_.drop(reason);
        counters_.ports[index_of(held.in_port)].rx_dropped.add(1);
        rte_pktmbuf_free(held.mbuf);
        held.mbuf = nullptr;
        append(slots_, free_, slot);
        --held_count_;
    }
    list = {};
}

template <Family F>
FragmentedPacket<F>* Fragments::find(const FlowKey<F>& key, uint64_t hash,
                                     uint64_t now_ms) noexcept {
    for (FragmentedPacket<F>& each : table<F>()[hash % kSets]) {
        if (each.until_ms > now_ms && each.key == key) return &each;
    }
    return nullptr;
}

template <Family F>
FragmentedPacket<F>& Fragments::find_or_make(const FlowKey<F>& key, uint64_t hash,
                                             uint64_t now_ms) noexcept {
    if (FragmentedPacket<F>* found = find(key, hash, now_ms)) return *found;
    // A complete packet is only needed for its fragments that wait for a neighbour.
    const auto worth = [](const FragmentedPacket<F>& of) {
        return of.ranges.complete() ? of.until_ms - kLifeMs : of.until_ms;
    };
    auto& set = table<F>()[hash % kSets];
    FragmentedPacket<F>* least = &set[0];
    for (FragmentedPacket<F>& each : set) {
        if (worth(each) < worth(*least)) least = &each;
    }
    begin(*least, key, now_ms);
    return *least;
}

template <Family F>
void Fragments::begin(FragmentedPacket<F>& of, const FlowKey<F>& key, uint64_t now_ms) noexcept {
    drop_all(of.waiting, of.until_ms > now_ms ? Drop::kFragmentHoldFull : Drop::kFragmentNoFirst);
    of = {};
    of.key = key;
    of.until_ms = now_ms + kLifeMs;
}

template <Family F>
Drop Fragments::note(FragmentedPacket<F>& of, const FragmentPart& part, bool is_first,
                     uint64_t now_ms) noexcept {
    // Identifications are reused soon (RFC 4963): a packet that is complete, or that begins once
    // more, gives way to the next one with the same key.
    if (of.ranges.complete() || (is_first && of.first_bytes == part.bytes)) {
        begin(of, FlowKey<F>(of.key), now_ms);
    }
    if (of.spoiled) return Drop::kFragmentOverlap;
    Drop reason = Drop::kNone;
    switch (of.ranges.add(part)) {
        case FragmentFit::kNew:
            return Drop::kNone;
        case FragmentFit::kRepeated:
            return Drop::kFragmentOverlap;
        case FragmentFit::kOverlaps:
            reason = Drop::kFragmentOverlap;
            break;
        case FragmentFit::kTooMany:
            reason = Drop::kFragmentBad;
            break;
    }
    of.spoiled = true;
    drop_all(of.waiting, reason);
    return reason;
}

template <Family F>
bool Fragments::hold(FragmentedPacket<F>& of, const Packet& packet) noexcept {
    if (of.waiting.count == kHeldPerPacket) return false;
    const uint16_t slot = pop(free_);
    if (slot == FragmentList::kEnd) return false;
    slots_[slot] = {packet.mbuf,
                    FragmentList::kEnd,
                    packet.in_port,
                    static_cast<uint8_t>(packet.flags & kFromOverlay),
                    {}};
    append(slots_, of.waiting, slot);
    ++held_count_;
    return true;
}

template <Family F>
void Fragments::release(FragmentedPacket<F>& of) noexcept {
    for (uint16_t slot = pop(of.waiting); slot != FragmentList::kEnd; slot = pop(of.waiting)) {
        slots_[slot].upper = of.upper;
        append(slots_, ready_, slot);
    }
}

bool Fragments::take_ready(HeldFragment& out) noexcept {
    const uint16_t slot = pop(ready_);
    if (slot == FragmentList::kEnd) return false;
    out = slots_[slot];
    slots_[slot].mbuf = nullptr;
    append(slots_, free_, slot);
    --held_count_;
    return true;
}

template <Family F>
void Fragments::expire_family(uint64_t now_ms) noexcept {
    for (auto& set : table<F>()) {
        for (FragmentedPacket<F>& each : set) {
            if (each.waiting.count > 0 && each.until_ms <= now_ms) {
                drop_all(each.waiting, Drop::kFragmentNoFirst);
            }
        }
    }
}

void Fragments::expire(uint64_t now_ms) noexcept {
    if (now_ms < next_scan_ms_) return;
    next_scan_ms_ = now_ms + kScanMs;
    expire_family<V4>(now_ms);
    expire_family<V6>(now_ms);
}

#define PODLANE_INSTANTIATE(F)                                                            \
    template FragmentedPacket<F>* Fragments::find<F>(const FlowKey<F>&, uint64_t,         \
                                                     uint64_t) noexcept;                  \
    template FragmentedPacket<F>& Fragments::find_or_make<F>(const FlowKey<F>&, uint64_t, \
                                                             uint64_t) noexcept;          \
    template Drop Fragments::note<F>(FragmentedPacket<F>&, const FragmentPart&, bool,     \
                                     uint64_t) noexcept;                                  \
    template bool Fragments::hold<F>(FragmentedPacket<F>&, const Packet&) noexcept;       \
    template void Fragments::release<F>(FragmentedPacket<F>&) noexcept;
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane::dataplane
