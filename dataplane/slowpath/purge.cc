#include "dataplane/slowpath/purge.h"

namespace podlane::dataplane {

namespace {

constexpr uint32_t kBlocksPerStep = 2048;

}  // namespace

template <Family F>
void Purge::step_family(WorkerCtx& ctx) noexcept {
    typename F::Address address;
    __builtin_memcpy(&address, waiting_[0].bytes.data(), sizeof(address));
    FlowTable<F>& table = ctx.flows<F>();
    next_block_ = table.for_each(
        [&](Connection<F>& connection) {
            const FlowKey<F>& original = connection.original().key;
            const FlowKey<F>& reply = connection.reply().key;
            if (original.src == address || original.dst == address || reply.src == address ||
                reply.dst == address) {
                table.remove(ctx.id, connection);
            }
        },
        next_block_, kBlocksPerStep);
}

bool Purge::step(WorkerCtx& ctx) noexcept {
    if (count_ == 0) return false;
    if (waiting_[0].is_v6) {
        step_family<V6>(ctx);
    } else {
        step_family<V4>(ctx);
    }
    if (next_block_ == 0) {
        for (unsigned i = 1; i < count_; ++i) waiting_[i - 1] = waiting_[i];
        --count_;
    }
    return true;
}

}  // namespace podlane::dataplane
