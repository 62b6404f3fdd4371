// The configuration's section `flowLog`: where connections are logged, and which.
//
// The composition root alone reads it; load_node_config() has checked it with the rest. Control
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/config/metrics_config.h"
#include "control/document/fields.h"
#include "lib/base/result.h"

namespace podlane::control {

struct FlowLogConfig {
    std::optional<ListenPlace> ipfix;          ///< the collector, by UDP
    std::string file;                          ///< of JSON lines; empty: none
    uint64_t file_bytes = uint64_t{64} << 20;  ///< at this size a new file is begun, and the
                                               ///< previous one is kept
    uint32_t one_in = 1;                       ///< of so many connections one is logged
    uint32_t domain = 1;                       ///< IPFIX observation domain
    bool starts = true, ends = true, denials = true;

    [[nodiscard]] bool is_on() const noexcept { return ipfix.has_value() || !file.empty(); }
};

/// Of the section, null where there is none.
[[nodiscard]] FlowLogConfig read_flow_log(const Value* section, Problems& problems);

/// From a configuration that load_node_config() has accepted.
[[nodiscard]] Result<FlowLogConfig> load_flow_log_config(const std::string& path);

/// A line for `podlaned --check`.
[[nodiscard]] std::string describe(const FlowLogConfig& log);

}  // namespace podlane::control
