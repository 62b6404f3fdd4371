#include "control/doctor/machine.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace podlane::control {

namespace fs = std::filesystem;

std::optional<std::string> Machine::text(const std::string& path) const {
    std::ifstream file(root_ + path);
    if (!file) return std::nullopt;
    std::string out{std::istreambuf_iterator<char>(file), {}};
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

std::optional<long> Machine::number(const std::string& path) const {
    const auto contents = text(path);
    if (!contents) return std::nullopt;
    long value = 0;
    const char* const end = contents->data() + contents->size();
    const auto [parsed, error] = std::from_chars(contents->data(), end, value);
    if (error != std::errc{} || parsed != end) return std::nullopt;
    return value;
}

std::vector<std::string> Machine::names(const std::string& path) const {
    std::vector<std::string> out;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(root_ + path, failed)) {
        out.push_back(entry.path().filename().string());
    }
    std::ranges::sort(out);
    return out;
}

bool Machine::exists(const std::string& path) const {
    std::error_code failed;
    return fs::exists(root_ + path, failed);
}

std::string Machine::link_name(const std::string& path) const {
    std::error_code failed;
    const fs::path target = fs::read_symlink(root_ + path, failed);
    return failed ? std::string() : target.filename().string();
}

std::vector<std::string> Machine::programs() const {
    std::vector<std::string> out;
    for (const std::string& name : names("/proc")) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (auto program = text("/proc/" + name + "/comm")) out.push_back(std::move(*program));
    }
    return out;
}

}  // namespace podlane::control
