// In place of program.cc in a build without BPF.
#include "control/shortcut/program.h"

namespace podlane::control {

struct ShortcutProgram::Object {};

namespace {

Error not_built() {
    return Error{"shortcut: this build has no BPF program"};
}

}  // namespace

ShortcutProgram::ShortcutProgram(std::unique_ptr<Object> object) noexcept
    : object_(std::move(object)) {}
ShortcutProgram::~ShortcutProgram() = default;

Result<std::unique_ptr<ShortcutProgram>> ShortcutProgram::load(const std::string&) {
    return not_built();
}

Result<void> ShortcutProgram::connect(int, int, const MacAddress&) const {
    return not_built();
}

Result<void> ShortcutProgram::connect_nic(int, int, const MacAddress&) const {
    return not_built();
}

Result<void> ShortcutProgram::connect_host(int) const {
    return not_built();
}

Result<ShortcutMaps> ShortcutProgram::maps() const {
    return not_built();
}

std::array<int, 5> ShortcutProgram::programs() const noexcept {
    return {-1, -1, -1, -1, -1};
}

Result<void> pause_left_shortcut(const std::string&) {
    return {};
}

bool has_shortcut(int) {
    return false;
}

}  // namespace podlane::control
