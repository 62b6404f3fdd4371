// The ends of a connection as control is told of them, from its two keys.
#pragma once

#include "lib/base/family.h"
#include "lib/proto/flow_key.h"

namespace podlane::dataplane {

/// Fills in protocol, addresses and ports (host order) of a FlowRecord or a FlowInfo. Any thread.
template <class Told, Family F>
void set_ends(Told& told, const FlowKey<F>& original, const FlowKey<F>& reply) noexcept {
    told.protocol = original.protocol;
    told.src = original.src;
    told.dst = original.dst;
    told.src_port = original.src_port.host();
    told.dst_port = original.dst_port.host();
    told.reply_src = reply.src;
    told.reply_dst = reply.dst;
    told.reply_src_port = reply.src_port.host();
    told.reply_dst_port = reply.dst_port.host();
}

}  // namespace podlane::dataplane
