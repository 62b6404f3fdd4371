#include "control/config/config_place.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace podlane::control {
namespace {

TEST(ConfigPlace, FindsLineAndColumnOfAKey) {
    const std::string file = "/tmp/podlane-place-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(file) << "node: a\nuplinks:\n  - name: u0\n  - name: u1\n"
                           "    device: net_null0\nhost: {interface: p0}\n";
    EXPECT_EQ(config_place(file, "uplinks[1].device"), file + ":5:13: uplinks[1].device");
    EXPECT_EQ(config_place(file, "host.interface"), file + ":6:19: host.interface");
    EXPECT_EQ(config_place(file, "node"), file + ":1:7: node");
    for (const char* absent : {"socket", "uplinks[2].device", "host.colour", "node[0]", "node.x"}) {
        EXPECT_EQ(config_place(file, absent), file + ": " + absent);
    }
    unlink(file.c_str());
    EXPECT_EQ(config_place(file, "node"), file + ": node");
}

TEST(ConfigPlace, FindsAnUplinkByItsName) {
    NodeConfig config;
    config.uplinks.resize(2);
    config.uplinks[1].name = "uplink1";
    EXPECT_EQ(uplink_device_path(config, "uplink1"), "uplinks[1].device");
    EXPECT_EQ(uplink_device_path(config, "uplink7"), "uplinks");
}

}  // namespace
}  // namespace podlane::control
