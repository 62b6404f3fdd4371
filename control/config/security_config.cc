#include "control/config/security_config.h"

#include <fmt/format.h>
#include <grp.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <vector>

#include "control/config/section.h"

namespace podlane::control {

namespace {

constexpr int64_t kHighestGid = 0xfffffffe;

}  // namespace

SecurityConfig read_security(const Value* section, Problems& problems) {
    SecurityConfig out;
    Fields fields(section, problems, Keys::kStrict);
    out.seccomp = read_switch(fields, "seccomp", problems, out.seccomp);
    if (const Value* keys = fields.get("keys")) {
        const bool is_number = keys->is(ValueType::kInteger);
        if (is_number
                ? as_integer(*keys, {0, kHighestGid, "a group's number"}, problems).has_value()
                : as_string(*keys, problems).has_value()) {
            out.keys = keys->text();
        }
        if (keys->is(ValueType::kString) && out.keys.empty()) {
            problems.add(*keys, "an empty name; a group is meant");
        }
    }
    fields.finish();
    return out;
}

Result<gid_t> keys_group(const SecurityConfig& security) {
    gid_t number = 0;
    const char* const end = security.keys.data() + security.keys.size();
    const auto [parsed, error] = std::from_chars(security.keys.data(), end, number);
    if (error == std::errc{} && parsed == end) return number;
    std::vector<char> room(1 << 16);
    group found{};
    group* result = nullptr;
    const int failed =
        ::getgrnam_r(security.keys.c_str(), &found, room.data(), room.size(), &result);
    if (result != nullptr) return result->gr_gid;
    return Error{fmt::format("{} is no group here{}{}", in_quotes(security.keys),
                             failed != 0 ? ": " : "", failed != 0 ? std::strerror(failed) : "")};
}

Result<SecurityConfig> load_security_config(const std::string& path) {
    SecurityConfig out;
    const auto done = read_section(path, "security", [&](const Value* section, Problems& problems) {
        out = read_security(section, problems);
    });
    if (!done.ok()) return done.error();
    return out;
}

std::string describe(const SecurityConfig& security) {
    return fmt::format("security   system calls are {}filtered; TLS keys are for root{}\n",
                       security.seccomp ? "" : "not ",
                       security.keys.empty() ? "" : " and the group " + security.keys);
}

}  // namespace podlane::control
