#include "lib/decide/bridge.h"

#include "lib/decide/policy.h"

namespace podlane {

template <Family F, class Trace>
PathDecision<F> decide_bridged(const Snapshot& snapshot, const PathQuery<F>& query, PortId out,
                               Trace& trace) {
    PathDecision<F> decision;
    decision.to = query.key;
    decision.port = out;
    decision.isolated = is_isolated(snapshot, query.in_port, out);
    if (decision.isolated) {
        decision.reason = judge_policies(
            snapshot, policy_query(snapshot, query.arrival(), query.key, out), trace);
        if (decision.reason != Drop::kNone) return decision;
    }
    decision.verdict = PathVerdict::kForward;
    decision.adjacency = adjacency_towards<F>(snapshot, query.key.dst);
    decision.reply_adjacency = adjacency_towards<F>(snapshot, query.key.src);
    const Adjacency& adjacency = snapshot.adjacencies[index_of(decision.adjacency)];
    if (adjacency.kind == AdjacencyKind::kEthernet && adjacency.port == out) return decision;
    // The pod with this MAC uses an address of its own choice, which no policy knows.
    decision.makes_flow = false;
    if (decision.isolated) {
        decision.verdict = PathVerdict::kDrop;
        decision.reason = misled_drop(snapshot, out);
        if constexpr (Trace::kEnabled) {
            trace.step("policy", "drop", "the destination is not the address of the pod there");
        }
    }
    return decision;
}

#define PODLANE_INSTANTIATE(F)                                                                  \
    template PathDecision<F> decide_bridged<F, NoTrace>(const Snapshot&, const PathQuery<F>&,   \
                                                        PortId, NoTrace&);                      \
    template PathDecision<F> decide_bridged<F, StepTrace>(const Snapshot&, const PathQuery<F>&, \
                                                          PortId, StepTrace&);
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

}  // namespace podlane
