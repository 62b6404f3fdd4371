// Connections that end: why, and who wants to be told.
//
// The flow table calls the listener where it removes a connection, on that worker's thread; for the
// flow log (dataplane/flow_recorder.h). Nobody listening costs a load for each removal.
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

/// Threads: any worker, several at a time.
template <Family F>
class FlowEndListener {
  public:
    /// The connection is not found any more, and can be read until this returns.
    virtual void ended(unsigned worker, const Connection<F>& connection, FlowEnd why) noexcept = 0;

  protected:
    ~FlowEndListener() = default;
};

}  // namespace podlane
