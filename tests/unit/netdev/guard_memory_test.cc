#include "control/netdev/guard_memory.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

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
    memory.mac = *parse_mac("02:00:00:00:00:07");
    memory.objects.addresses = {{RTM_NEWADDR, 12, {2, 24, 0, 0, 7, 0, 0, 0, 0xff}}};
    memory.objects.neighbours = {{RTM_NEWNEIGH, 13, std::vector<uint8_t>(12, 0xa5)}};
    memory.objects.routes = {{RTM_NEWROUTE, 14, std::vector<uint8_t>(28, 1)},
                             {RTM_NEWROUTE, 15, {}}};
    memory.objects.rules = {{RTM_NEWRULE, 16, std::vector<uint8_t>(12, 0)}};
    memory.ifname = "eth1";
    memory.host = "podlane0";
    memory.owner = "node-a";
    memory.sysctls = {{"/proc/sys/net/ipv4/conf/eth1/rp_filter", "2"}};
    memory.features = {{0x2c, 1}};
    memory.set_up = true;
    memory.promiscuous = true;
    ASSERT_TRUE(save_guard_memory(path_, memory).ok()) << "its folder is made";
    const auto loaded = load_guard_memory(path_);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(**loaded, memory);
}

TEST_F(GuardMemoryFile, AMissingOneIsNoneAndAnotherFileIsAnErrorThatNamesIt) {
    EXPECT_FALSE(load_guard_memory(path_)->has_value());
    std::filesystem::create_directories(folder_);
    for (const char* text : {"", "[]", "{\"version\": 1}", "{\"version\": 2}", "hello"}) {
        std::ofstream(path_) << text;
        const auto loaded = load_guard_memory(path_);
        ASSERT_FALSE(loaded.ok()) << text;
        EXPECT_NE(loaded.error().message.find(path_), std::string::npos);
    }
}

TEST_F(GuardMemoryFile, OneOfAnEarlierBootIsNone) {
    ASSERT_TRUE(save_guard_memory(path_, {}).ok());
    ASSERT_TRUE(load_guard_memory(path_)->has_value());
    std::string text;
    std::getline(std::ifstream(path_), text);
    const size_t at = text.find("\"boot\":\"");
    ASSERT_NE(at, std::string::npos);
    text[at + 8] = 'x';
    std::ofstream(path_) << text;
    EXPECT_FALSE(load_guard_memory(path_)->has_value());
}

TEST_F(GuardMemoryFile, AMessageThatIsDamagedIsAnErrorOrOnlyAMessage) {
    GuardMemory memory;
    memory.objects.routes = {{RTM_NEWROUTE, 14, std::vector<uint8_t>(28, 1)}};
    ASSERT_TRUE(save_guard_memory(path_, memory).ok());
    std::string text;
    std::getline(std::ifstream(path_), text);
    const size_t at = text.find("0101");
    ASSERT_NE(at, std::string::npos);
    text[at] = 'g';
    std::ofstream(path_) << text;
    EXPECT_FALSE(load_guard_memory(path_).ok());
}

}  // namespace
}  // namespace podlane::control
