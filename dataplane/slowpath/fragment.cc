// Fragments: only a packet's first fragment has ports, so the others follow the way that it went.
#include "dataplane/guard.h"
#include "dataplane/slowpath/fragments.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"

namespace podlane::dataplane {

namespace {

/// Fragments of one packet may come to different workers, since devices spread fragments by
/// addresses alone but whole packets by ports too. All fragments with one key meet on one worker.
/// False: the fragment was handed over.
bool is_for_this_worker(WorkerCtx& ctx, Packet& packet, uint64_t hash) noexcept {
    const auto owner = static_cast<unsigned>((hash >> 32) % ctx.handoff->workers());
    if (owner == ctx.id) return true;
    const auto flags = static_cast<uint8_t>(packet.flags & kFromOverlay);
    if (ctx.handoff->ring(ctx.id, owner).push({packet.mbuf, packet.in_port, true, flags})) {
        ctx.doorbells[owner].ring();
        packet.verdict = Verdict::kConsumed;
    } else {
        packet.drop(Drop::kHandoffFull);
    }
    return false;
}

template <Family F>
void tell_upper(Packet& packet, const FragmentedPacket<F>& of) noexcept {
    packet.upper = of.upper;
    packet.flags |= kHasUpper;
}

/// For a fragment that went through note_and_wait() and then waited for its neighbour, perhaps
/// longer than fragments are kept.
template <Family F>
bool recall(WorkerCtx& ctx, Packet& packet, const FlowKey<F>& key, uint64_t hash) noexcept {
    if (packet.headers.has(Headers::kFirstFragment)) return true;
    const FragmentedPacket<F>* of = ctx.fragments->find<F>(key, hash, 0);
    if (of == nullptr || !of->has_first()) {
        packet.drop(Drop::kFragmentNoFirst);
        return false;
    }
    tell_upper(packet, *of);
    return true;
}

template <Family F>
bool note_and_wait(WorkerCtx& ctx, Packet& packet, const FlowKey<F>& key, uint64_t hash,
                   const FragmentPart& part) noexcept {
    Fragments& fragments = *ctx.fragments;
    const bool is_first = packet.headers.has(Headers::kFirstFragment);
    FragmentedPacket<F>& of = fragments.find_or_make<F>(key, hash, ctx.now_ms);
    const Drop bad = fragments.note(of, part, is_first, ctx.now_ms);
    if (bad != Drop::kNone) {
        packet.drop(bad);
        return false;
    }
    if (is_first) {
        const FlowKey<F> flow = packet.key<F>();
        of.first_bytes = part.bytes;
        of.upper = {flow.src_port, flow.dst_port, flow.protocol};
        fragments.release(of);
        return true;
    }
    if (of.has_first()) {
        tell_upper(packet, of);
        return true;
    }
    if (fragments.hold(of, packet)) {
        packet.verdict = Verdict::kConsumed;
    } else {
        packet.drop(Drop::kFragmentHoldFull);
    }
    return false;
}

/// True when the fragment's flow can be looked up; otherwise its verdict is final.
template <Family F>
bool admit(WorkerCtx& ctx, Packet& packet) noexcept {
    const FragmentPart part = fragment_part<F>(packet.frame, packet.headers);
    if (!part.is_possible()) {
        packet.drop(Drop::kFragmentBad);
        return false;
    }
    const FlowKey<F> key = fragment_key<F>(packet.frame, packet.headers);
    const uint64_t hash = ctx.flows<F>().hash(key);
    if (!is_for_this_worker(ctx, packet, hash)) return false;
    if (packet.headers.has(Headers::kFirstFragment)) {
        const uint16_t before = packet.headers.l4_offset;
        Drop bad = parse_behind_fragment_header(packet.head(), packet.headers);
        // What stands there was not seen before.
        if (bad == Drop::kNone && packet.headers.l4_offset != before) {
            bad = judge_sender(ctx, packet);
        }
        if (bad != Drop::kNone) {
            packet.drop(bad);
            return false;
        }
    }
    if (packet.is(kHeldBefore)) return recall(ctx, packet, key, hash);
    return note_and_wait(ctx, packet, key, hash, part);
}

}  // namespace

template <Family F>
void handle_fragment(WorkerCtx& ctx, Packet& packet) noexcept {
    if (!packet.is(kHasUpper) && !admit<F>(ctx, packet)) return;
    const FlowKey<F> key = packet.key<F>();
    packet.hash = ctx.flows<F>().hash(key);
    packet.entry = ctx.flows<F>().lookup(key, packet.hash);
    const SlowReason reason =
        packet.entry == nullptr ? SlowReason::kMiss : check_flow(ctx, packet, packet.flow<F>());
    if (reason == SlowReason::kNone) {
        forward(ctx, packet, packet.flow<F>().rewrite_flags());
        return;
    }
    packet.to_slow(reason);
    handle_ip<F>(ctx, packet);
}

template void handle_fragment<V4>(WorkerCtx&, Packet&) noexcept;
template void handle_fragment<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
