// One section of a configuration file by itself, for sections that the composition root alone
// reads.
//
// load_node_config() has checked the whole file before. Control thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/document/fields.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Called with the section, null if there is none; reports its errors.
using SectionReader = std::function<void(const Value* section, Problems& problems)>;

/// Reads the file at `path` and gives `read` its section `name`. The error is the first one: that
/// the file cannot be read, what `read` reported, or that it is no document.
[[nodiscard]] Result<void> read_section(const std::string& path, std::string_view name,
                                        const SectionReader& read);

/// Reads `on` or `off`; YAML reads them as booleans if they are unquoted.
[[nodiscard]] bool read_switch(Fields& fields, std::string_view key, Problems& problems,
                               bool otherwise);

}  // namespace podlane::control
