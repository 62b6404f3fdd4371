// What a stage is: a type with a name and one function over a burst.
#pragma once

#include <concepts>

#include "dataplane/packet.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

template <class S>
concept Stage = requires(WorkerCtx& ctx, Burst burst) {
    { S::kName } -> std::convertible_to<const char*>;
    { S::run(ctx, burst) }
    noexcept;
};

}  // namespace podlane::dataplane
