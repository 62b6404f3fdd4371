#include "dataplane/flow_listing.h"

#include "lib/proto/ip_protocol.h"

namespace podlane::dataplane {

namespace {

constexpr uint32_t kBlocksAtOnce = 4096;

template <Family F>
FlowInfo describe(const Connection<F>& connection, uint32_t now_s) {
    FlowInfo info;
    const FlowKey<F>& original = connection.original().key;
    const FlowKey<F>& reply = connection.reply().key;
    info.protocol = connection.state.protocol;
    info.src = original.src;
    info.dst = original.dst;
    info.src_port = original.src_port.host();
    info.dst_port = original.dst_port.host();
    info.reply_src = reply.src;
    info.reply_dst = reply.dst;
    info.reply_src_port = reply.src_port.host();
    info.reply_dst_port = reply.dst_port.host();
    info.state = info.protocol == kProtocolTcp
                     ? to_string(connection.state.tcp_state.load(std::memory_order_relaxed))
                     : (connection.state.replied() ? "REPLIED" : "UNREPLIED");
    const auto idle = static_cast<int32_t>(now_s - connection.last_seen_s());
    info.idle_seconds = idle > 0 ? static_cast<uint32_t>(idle) : 0;
    const uint32_t timeout = connection.timeout_seconds();
    info.timeout_seconds = timeout > info.idle_seconds ? timeout - info.idle_seconds : 0;
    info.service = ServiceId{connection.original().service_id.load(std::memory_order_relaxed)};
    info.worker = connection.state.owner;
    return info;
}

}  // namespace

template <Family F>
void list_flows(FlowTable<F>& table, QuiescentDomain& domain, unsigned reader, uint32_t now_s,
                size_t& left, const std::function<void(const FlowInfo&)>& visit) {
    uint32_t block = 0;
    do {
        block = table.for_each(
            [&](Connection<F>& connection) {
                if (left == 0) return;
                --left;
                visit(describe(connection, now_s));
            },
            block, kBlocksAtOnce);
        domain.quiescent(reader);
    } while (block != 0 && left > 0);
}

template void list_flows<V4>(FlowTable<V4>&, QuiescentDomain&, unsigned, uint32_t, size_t&,
                             const std::function<void(const FlowInfo&)>&);
template void list_flows<V6>(FlowTable<V6>&, QuiescentDomain&, unsigned, uint32_t, size_t&,
                             const std::function<void(const FlowInfo&)>&);

}  // namespace podlane::dataplane
