#include "control/config/state_config.h"

#include <filesystem>

#include "control/config/section.h"

namespace podlane::control {

StateConfig read_state(const Value* section, std::string_view socket, Problems& problems) {
    constexpr std::string_view kEnding = ".sock";
    if (socket.ends_with(kEnding)) socket.remove_suffix(kEnding.size());
    StateConfig out;
    out.directory = std::string(socket) + ".state";
    Fields fields(section, problems, Keys::kStrict);
    out.keep = fields.boolean("keep", out.keep);
    if (const Value* directory = fields.get("directory")) {
        const std::string text(as_string(*directory, problems).value_or("/"));
        if (text.empty()) problems.add(*directory, "an empty path; a folder is meant");
        const std::filesystem::path document(problems.document());
        out.directory = (document.parent_path() / text).string();
    }
    fields.finish();
    return out;
}

Result<StateConfig> load_state_config(const std::string& path, std::string_view socket) {
    StateConfig out;
    const auto done = read_section(path, "state", [&](const Value* section, Problems& problems) {
        out = read_state(section, socket, problems);
    });
    if (!done.ok()) return done.error();
    return out;
}

}  // namespace podlane::control
