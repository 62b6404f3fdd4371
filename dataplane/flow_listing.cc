#include "dataplane/flow_listing.h"

#include <algorithm>

#include "dataplane/flow_ends.h"
#include "dataplane/slowpath/slow_path.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::dataplane {

namespace {

/// Blocks that are read between two quiescent points.
constexpr uint32_t kBlocksAtOnce = 4096;
/// Blocks that one page reads at most: a few ms, in which the control thread serves nothing else.
constexpr uint32_t kBlocksOfPage = 1u << 16;
/// Cursors of the IPv6 table, which is listed after the IPv4 table.
constexpr FlowCursor kV6Cursors = FlowCursor{1} << 32;

template <Family F>
FlowInfo describe(const FlowTable<F>& table, const Connection<F>& connection, uint32_t now_s) {
    FlowInfo info;
    const uint32_t life = connection.state.life.load(std::memory_order_relaxed);
    info.ref = {table.block_of(connection), ConnectionState::generation_of(life),
                std::same_as<F, V6>};
    set_ends(info, connection.original().key, connection.reply().key);
    info.state = info.protocol == kProtocolTcp
                     ? to_string(connection.state.tcp_state.load(std::memory_order_relaxed))
                     : (connection.state.replied() ? kFlowReplied : kFlowUnreplied);
    // Another worker's clock may be a little ahead.
    const auto since = [now_s](uint32_t then) {
        const auto passed = static_cast<int32_t>(now_s - then);
        return passed > 0 ? static_cast<uint32_t>(passed) : 0;
    };
    info.age_seconds = since(connection.state.created_s);
    info.idle_seconds = since(connection.last_seen_s());
    const uint32_t timeout = connection.timeout_seconds(table.timeouts());
    info.timeout_seconds = timeout > info.idle_seconds ? timeout - info.idle_seconds : 0;
    info.service = ServiceId{connection.original().service_id.load(std::memory_order_relaxed)};
    info.worker = connection.state.owner;
    return info;
}

/// The reason for which a worker would drop the connection's next packet.
template <Family F>
Drop blocked_by(const Snapshot& snapshot, const Connection<F>& connection) {
    bool isolated = false;
    const Drop drop = judge_connection(snapshot, connection, isolated);
    if (drop != Drop::kNone) return drop;
    const Hop hop = connection.original().current_hop();
    if (!snapshot.is_current(hop.topology_epoch)) return Drop::kNone;  // will be rerouted
    const Adjacency& next = snapshot.adjacencies[hop.adjacency];
    return next.kind == AdjacencyKind::kFailed ? Drop::kNeighbourUnreachable : Drop::kNone;
}

}  // namespace

template <Family F>
std::optional<FlowInfo> FlowReader::find_in(FlowTable<F>& table, const FlowTuple& first) const {
    FlowKey<F> key{};
    key.src = first.src.as<F>();
    key.dst = first.dst.as<F>();
    key.src_port = be16(first.src_port);
    key.dst_port = be16(first.dst_port);
    key.protocol = first.protocol;
    FlowEntry<F>* const entry = table.lookup(key, table.hash(key));
    if (entry == nullptr || entry->direction() != FlowDirection::kOriginal) return std::nullopt;
    const Connection<F>& connection = connection_of(*entry);
    FlowInfo info = describe(table, connection, now_s_);
    info.traffic = table.traffic_of(connection);
    return info;
}

std::optional<FlowInfo> FlowReader::find(const FlowTuple& first) const {
    if (first.src.is_v4() != first.dst.is_v4()) return std::nullopt;
    return first.src.is_v4() ? find_in(v4_, first) : find_in(v6_, first);
}

template <Family F>
void FlowReader::read(FlowTable<F>& table, const FlowFilter& filter, size_t limit, uint32_t& block,
                      uint32_t& budget, FlowPage& page) {
    const auto take = [&](Connection<F>& connection) {
        FlowInfo info = describe(table, connection, now_s_);
        if (!filter.matches(info)) return true;
        info.blocked = blocked_by(snapshot_, connection);
        if (filter.blocked && info.blocked == Drop::kNone) return true;
        info.traffic = table.traffic_of(connection);
        page.flows.push_back(info);
        return page.flows.size() < limit;
    };
    do {
        const uint32_t from = block;
        const uint32_t count = std::min(budget, kBlocksAtOnce);
        block = table.for_each(take, from, count);
        budget -= block > from ? block - from : count;
        domain_.quiescent(id_);
    } while (block != 0 && budget > 0 && page.flows.size() < limit);
}

FlowPage FlowReader::page(const FlowFilter& filter, size_t limit, FlowCursor from) {
    FlowPage page;
    uint32_t budget = kBlocksOfPage;
    auto block = static_cast<uint32_t>(from);
    if (limit == 0) return page;
    if (from < kV6Cursors) {
        read(v4_, filter, limit, block, budget, page);
        if (block != 0) {
            page.next = block;
            return page;
        }
        if (budget == 0 || page.flows.size() == limit) {
            page.next = kV6Cursors;
            return page;
        }
    }
    read(v6_, filter, limit, block, budget, page);
    if (block != 0) page.next = kV6Cursors | block;
    return page;
}

FlowTotals total_flows(const FlowTable<V4>& v4, const FlowTable<V6>& v6) {
    const FlowCounters a = v4.counters();
    const FlowCounters b = v6.counters();
    FlowTotals out;
    out.active = a.active + b.active;
    out.capacity = a.capacity;
    out.created = a.created + b.created;
    out.expired = a.expired + b.expired;
    out.evicted = a.evicted + b.evicted;
    out.refused = a.refused + b.refused;
    return out;
}

}  // namespace podlane::dataplane
