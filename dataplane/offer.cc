#include "dataplane/offer.h"

#include "lib/border/carried.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::dataplane {

template <Family F>
void offer_flow(WorkerCtx& ctx, FlowEntry<F>& entry) noexcept {
    const FlowEntry<F>& opposite = opposite_of(entry);
    if (entry.established.load(std::memory_order_relaxed) == 0 ||
        opposite.established.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const uint8_t protocol = entry.key.protocol;
    if (protocol != kProtocolTcp && protocol != kProtocolUdp) return;
    // Each direction leads to where the other one comes from; control looks again.
    const auto adjacencies = ctx.snapshot->adjacencies.view();
    const PortId there = adjacencies[entry.current_hop().adjacency].port;
    const PortId back = adjacencies[opposite.current_hop().adjacency].port;
    if (there == kNoPort || back == kNoPort) return;
    if (!ctx.flow_targets->are_joined(there, back)) return;
    // Neighbours are more important.
    if (ctx.events->size() > kEventSlots / 2) return;
    const Connection<F>& connection = connection_of(entry);
    const FlowRef flow{
        ctx.flows<F>().block_of(connection),
        ConnectionState::generation_of(connection.state.life.load(std::memory_order_relaxed)),
        std::same_as<F, V6>};
    Event event;
    event.kind = EventKind::kFlowProven;
    event.flow = flow.packed();
    // Control is not woken: most connections end before its next tick, and cost it nothing then.
    if (ctx.events->push(event) && ctx.events->size() > kEventSlots / 4) {
        ctx.control_doorbell->ring();
    }
}

template void offer_flow<V4>(WorkerCtx&, FlowEntry<V4>&) noexcept;
template void offer_flow<V6>(WorkerCtx&, FlowEntry<V6>&) noexcept;

}  // namespace podlane::dataplane
