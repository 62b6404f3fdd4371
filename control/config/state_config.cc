#include "control/config/state_config.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/document/reader.h"

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
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{path + ": cannot be read: " + std::strerror(errno), path};
    std::ostringstream text;
    text << file.rdbuf();
    Problems problems(path);
    StateConfig out;
    const DocumentHandler handler{[&](const Document& document) {
                                      problems.enter(document.root);
                                      out =
                                          read_state(document.root.find("state"), socket, problems);
                                      return true;
                                  },
                                  nullptr};
    const auto read = read_documents(text.view(), path, handler);
    if (!problems.empty()) return problems.errors().front();
    if (!read.ok()) return read.error();
    return out;
}

}  // namespace podlane::control
