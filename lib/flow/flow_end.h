// Why a connection ended, and the listener that is told.
//
// The flow table calls the listener when it removes a connection, on that worker's thread; for the
// flow log (dataplane/flow_recorder.h). Without a listener, a removal costs one load.
#pragma once

#include <cstdint>

#include "lib/flow/entry.h"

namespace podlane {

enum class FlowEnd : uint8_t {
    kExpired,  ///< silent for too long, or over
    kEvicted,  ///< to make room
    kRemoved,  ///< on request: its pod or endpoint is gone, or another takes its place
};

/// "expired", "evicted", "removed".
[[nodiscard]] constexpr const char* to_string(FlowEnd end) noexcept {
    switch (end) {
        case FlowEnd::kExpired:
            return "expired";
        case FlowEnd::kEvicted:
            return "evicted";
        case FlowEnd::kRemoved:
            return "removed";
    }
    return "";
}

/// Threads: called on any worker, by several at a time.
template <Family F>
class FlowEndListener {
  public:
    /// The connection can no longer be found; it can be read until this returns.
    virtual void ended(unsigned worker, const Connection<F>& connection, FlowEnd why) noexcept = 0;

  protected:
    ~FlowEndListener() = default;
};

}  // namespace podlane
