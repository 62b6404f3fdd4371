#include "control/config/section.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "control/document/reader.h"

namespace podlane::control {

Result<void> read_section(const std::string& path, std::string_view name,
                          const SectionReader& read) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{path + ": cannot be read: " + std::strerror(errno), path};
    std::ostringstream text;
    text << file.rdbuf();
    Problems problems(path);
    const DocumentHandler handler{[&](const Document& document) {
                                      problems.enter(document.root);
                                      read(document.root.find(name), problems);
                                      return true;
                                  },
                                  nullptr};
    const auto done = read_documents(text.view(), path, handler);
    if (!problems.empty()) return problems.errors().front();
    if (!done.ok()) return done.error();
    return {};
}

}  // namespace podlane::control
