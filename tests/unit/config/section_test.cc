#include "control/config/section.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace podlane::control {
namespace {

/// What reading the section `log` of a file with this text comes to, in words.
std::string section_of(const std::string& text) {
    const std::string path = "/tmp/podlane-section-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << text;
    std::string found = "not asked";
    const auto done = read_section(path, "log", [&](const Value* section, Problems& problems) {
        found = section == nullptr ? "none" : std::string(section->text());
        if (found == "bad") problems.add(*section, "bad is not allowed");
    });
    std::remove(path.c_str());
    return done.ok() ? found : done.error().message.substr(path.size());
}

TEST(Section, IsGivenToItsReader) {
    EXPECT_EQ(section_of("node: a\nlog: all\n"), "all");
    EXPECT_EQ(section_of("node: a\n"), "none");
}

TEST(Section, WhatItsReaderReportsIsTheErrorWithItsPlace) {
    EXPECT_EQ(section_of("node: a\nlog: bad\n"), ":2:6: log: bad is not allowed");
}

TEST(Section, FileThatCannotBeReadIsNamed) {
    const auto done = read_section("/none/podlane.yaml", "log", [](const Value*, Problems&) {});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().message,
              "/none/podlane.yaml: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace podlane::control
