// The configuration's section `state`: what survives the process, and where that is kept.
//
// The composition root alone reads it; load_node_config() has checked it with the rest. Control
// thread.
#pragma once

#include <string>
#include <string_view>

#include "control/document/fields.h"
#include "lib/base/result.h"

namespace podlane::control {

struct StateConfig {
    bool keep = true;
    std::string directory;  ///< with the journal in it
};

/// Of the section, null where there is none. `socket` is the configured socket path: the state is
/// kept beside it unless `directory` says otherwise.
[[nodiscard]] StateConfig read_state(const Value* section, std::string_view socket,
                                     Problems& problems);

/// From a configuration that load_node_config() has accepted, with its socket.
[[nodiscard]] Result<StateConfig> load_state_config(const std::string& path,
                                                    std::string_view socket);

}  // namespace podlane::control
