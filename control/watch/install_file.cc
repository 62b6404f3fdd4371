#include "control/watch/install_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace podlane::control {

namespace {

std::optional<std::string> contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Result<void> install_file(const std::string& from, const std::string& to) {
    const auto text = contents(from);
    if (!text) return Error{fmt::format("{}: {}", from, std::strerror(errno))};
    if (contents(to) == text) return {};
    const std::string temporary = to + ".podlane-new";
    {
        std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
        file << *text;
        file.flush();
        if (!file) return Error{fmt::format("{}: {}", temporary, std::strerror(errno))};
    }
    if (std::rename(temporary.c_str(), to.c_str()) != 0)
        return Error{fmt::format("{}: {}", to, std::strerror(errno))};
    return {};
}

}  // namespace podlane::control
