#include "control/netdev/guard_memory.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace podlane::control {
namespace {

class GuardMemoryFile : public ::testing::Test {
  protected:
    ~GuardMemoryFile() override { std::filesystem::remove_all(folder_); }
    const std::filesystem::path folder_ =
        std::filesystem::path(::testing::TempDir()) / "podlane-guard-memory";
    const std::string path_ = folder_ / "eth1.json";
};

TEST_F(GuardMemoryFile, HoldsWhatWasSaved) {
    GuardMemory memory;
    memory.ifindex = 7;
    memory.addresses = {*parse_interface_address("192.0.2.7/24"),
                        *parse_interface_address("fd00::7/64")};
    memory.routes = {{.destination = *parse_prefix("0.0.0.0/0"),
                      .via = parse_ip("192.0.2.1"),
                      .preferred_source = parse_ip("192.0.2.7"),
                      .metric = 100,
                      .protocol = 16},
                     {.destination = *parse_prefix("2001:db8::/32"), .onlink = true, .table = 7}};
    memory.sysctls = {{"/proc/sys/net/ipv4/conf/eth1/rp_filter", "2"}};
    memory.features = {{0x2c, 1}};
    memory.set_up = true;
    ASSERT_TRUE(save_guard_memory(path_, memory).ok()) << "its folder is made";
    const auto loaded = load_guard_memory(path_);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(**loaded, memory);
}

TEST_F(GuardMemoryFile, AMissingOneIsNoneAndAnotherFileIsAnErrorThatNamesIt) {
    EXPECT_FALSE(load_guard_memory(path_)->has_value());
    std::filesystem::create_directories(folder_);
    for (const char* text : {"", "[]", "{\"version\": 2}", "{\"version\": 1}", "hello"}) {
        std::ofstream(path_) << text;
        const auto loaded = load_guard_memory(path_);
        ASSERT_FALSE(loaded.ok()) << text;
        EXPECT_NE(loaded.error().message.find(path_), std::string::npos);
    }
}

}  // namespace
}  // namespace podlane::control
