#include "dataplane/slowpath/purge.h"

#include <algorithm>
#include <span>

namespace podlane::dataplane {

namespace {

constexpr uint32_t kBlocksPerStep = 2048;

bool before(const RawAddress& a, const RawAddress& b) noexcept {
    return a.bytes < b.bytes;
}

}  // namespace

void Purge::begin_pass() noexcept {
    const bool is_v6 = waiting_[0].is_v6;
    unsigned left = 0;
    for (unsigned i = 0; i < count_; ++i) {
        if (target_count_ < targets_.size() && waiting_[i].is_v6 == is_v6) {
            targets_[target_count_++] = waiting_[i];
        } else {
            waiting_[left++] = waiting_[i];
        }
    }
    count_ = left;
    std::sort(targets_.begin(), targets_.begin() + target_count_, before);
}

template <Family F>
void Purge::step_family(WorkerCtx& ctx) noexcept {
    const std::span targets(targets_.data(), target_count_);
    const auto is_target = [&](const typename F::Address& address) {
        return std::binary_search(targets.begin(), targets.end(), RawAddress(address), before);
    };
    FlowTable<F>& table = ctx.flows<F>();
    next_block_ = table.for_each(
        [&](Connection<F>& connection) {
            const FlowKey<F>& original = connection.original().key;
            const FlowKey<F>& reply = connection.reply().key;
            if (is_target(original.src) || is_target(original.dst) || is_target(reply.src) ||
                is_target(reply.dst)) {
                table.remove(ctx.id, connection);
            }
        },
        next_block_, kBlocksPerStep);
}

bool Purge::step(WorkerCtx& ctx) noexcept {
    if (target_count_ == 0) {
        if (count_ == 0) return false;
        begin_pass();
    }
    if (targets_[0].is_v6) {
        step_family<V6>(ctx);
    } else {
        step_family<V4>(ctx);
    }
    if (next_block_ == 0) target_count_ = 0;
    return true;
}

}  // namespace podlane::dataplane
