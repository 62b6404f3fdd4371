#include "lib/model/snapshot.h"

namespace podlane {

namespace {

template <Family F>
void clear(FamilyState<F>& state) {
    state.routes = std::make_shared<const Lpm<F, Route<F>>>();
    state.keep_source = std::make_shared<const Lpm<F, uint8_t>>();
    state.tunnel_peers = std::make_shared<const Lpm<F, NodeNumber>>();
    state.node_prefixes = std::make_shared<const Lpm<F, NodeNumber>>();
    state.tunnel_sources = std::make_shared<const Lpm<F, NodeNumber>>();
}

}  // namespace

std::shared_ptr<Snapshot> make_empty_snapshot() {
    auto snapshot = std::make_shared<Snapshot>();
    clear(snapshot->v4);
    clear(snapshot->v6);
    snapshot->ports = std::make_shared<const PortViews>();
    snapshot->fdb = std::make_shared<const Fdb>();
    return snapshot;
}

}  // namespace podlane
