#include "control/config/section.h"

#include <array>
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

bool read_switch(Fields& fields, std::string_view key, Problems& problems, bool otherwise) {
    constexpr auto kWords = std::to_array<Word<bool>>({{"on", true}, {"off", false}});
    const Value* value = fields.get(key);
    if (value == nullptr) return otherwise;
    if (value->is(ValueType::kBool)) return value->text() == "true";
    return as_word(*value, kWords, problems).value_or(otherwise);
}

}  // namespace podlane::control
