// The live state as rows: `get ports|neighbors|fdb|routes|flows|workers|frontends|addresses`.
//
// Called by the node, control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/node/live_view.h"
#include "control/show/rows.h"
#include "lib/base/result.h"

namespace podlane::control {

/// The rows of a live kind, all of them or those that `name` selects; none if `kind` is not a live
/// kind, or is flows.
[[nodiscard]] std::optional<Rows> list_live(const LiveView& live, std::string_view kind,
                                            std::optional<std::string_view> name);

/// The filter of `get flows`: connections must match everything that is set.
struct FlowQuestion {
    /// A Service, a pod or an address, the last one with or without its port.
    std::optional<std::string> name = {};
    std::optional<std::string> pod = {}, service = {};  ///< "namespace/name"
    std::optional<std::string> address = {};            ///< at either end
    std::optional<uint16_t> port = {};                  ///< of either end
    std::optional<std::string> protocol = {};           ///< "tcp", "47"
    std::optional<std::string> state = {};
    std::optional<unsigned> worker = {};
    std::optional<uint32_t> older_s = {}, younger_s = {}, idle_s = {};
    bool dropped = false;  ///< only those with packets that are dropped now

    /// Whether it selects all connections.
    [[nodiscard]] bool is_plain() const noexcept {
        return !name && !pod && !service && !address && !port && !protocol && !state && !worker &&
               !older_s && !younger_s && !idle_s && !dropped;
    }
};

/// Connections, and where to continue if there may be more.
struct FlowList {
    std::vector<FlowRow> rows;
    FlowCursor next = 0;
};

/// Whether `name` is an address, with or without a port, or a Pod's or Service's that is known.
[[nodiscard]] bool is_name_of_flows(const LiveView& live, std::string_view name);

/// Up to `limit` connections (0: as many as fit into one answer) from `from` on. An error names the
/// part of the filter that does not exist.
[[nodiscard]] Result<FlowList> list_flows(const LiveView& live, const FlowQuestion& question,
                                          size_t limit, FlowCursor from);

}  // namespace podlane::control
