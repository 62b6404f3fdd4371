#include "control/config/security_config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "control/config/node_config.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLeast = "node: node-a\npods: {cidrs: [10.244.1.0/24]}\n";

class SecurityConfigTest : public testing::Test {
  protected:
    SecurityConfigTest() {
        std::string name = (fs::temp_directory_path() / "security-config-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~SecurityConfigTest() override { fs::remove_all(folder_); }

    Result<SecurityConfig> load(const std::string& security) const {
        const std::string path = folder_ + "/node.yaml";
        std::ofstream(path) << kLeast << security;
        return load_security_config(path);
    }
    static std::string refusal(const std::string& text) {
        const auto config = load_node_config_from_text(kLeast + text, "node.yaml");
        return config.ok() ? "accepted" : config.error().message;
    }

    std::string folder_;
};

TEST_F(SecurityConfigTest, SystemCallsAreFilteredUnlessSaidOtherwise) {
    for (const char* text : {"", "security: {}\n", "security: {seccomp: on}\n",
                             "security: {seccomp: 'on'}\n", "security: {seccomp: null}\n"}) {
        const auto security = load(text);
        ASSERT_TRUE(security.ok()) << text << security.error().message;
        EXPECT_TRUE(security->seccomp) << text;
        EXPECT_EQ(refusal(text), "accepted");
    }
    for (const char* text : {"security: {seccomp: off}\n", "security: {seccomp: \"off\"}\n"}) {
        const auto security = load(text);
        ASSERT_TRUE(security.ok()) << text << security.error().message;
        EXPECT_FALSE(security->seccomp) << text;
        EXPECT_EQ(refusal(text), "accepted");
    }
}

TEST_F(SecurityConfigTest, WrongOnesAreRefusedWithTheNode) {
    EXPECT_NE(refusal("security: {seccomp: kill}\n").find("security.seccomp: "), std::string::npos);
    EXPECT_NE(refusal("security: {seccomp: 1}\n").find("security.seccomp: "), std::string::npos);
    EXPECT_NE(refusal("security: {secomp: on}\n").find("secomp"), std::string::npos);
    EXPECT_NE(refusal("security: on\n"), "accepted");
}

TEST_F(SecurityConfigTest, AFileThatIsGoneIsNamed) {
    const auto security = load_security_config(folder_ + "/none.yaml");
    ASSERT_FALSE(security.ok());
    EXPECT_NE(security.error().message.find("none.yaml: cannot be read"), std::string::npos);
}

TEST_F(SecurityConfigTest, KeysAreForRootAndAGroupThatIsNamed) {
    EXPECT_EQ(load("")->keys, "");
    EXPECT_EQ(load("security: {keys: root}\n")->keys, "root");
    EXPECT_EQ(load("security: {keys: 54321}\n")->keys, "54321");
    EXPECT_EQ(keys_group({.keys = "54321"}).value(), 54321U);
    EXPECT_EQ(keys_group({.keys = "root"}).value(), 0U);
    const auto none = keys_group({.keys = "no such group\n"});
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().message, "\"no such group\\x0a\" is no group here");
    for (const char* wrong : {"security: {keys: ''}\n", "security: {keys: -1}\n",
                              "security: {keys: [root]}\n", "security: {keys: 4294967295}\n"}) {
        EXPECT_NE(refusal(wrong).find("security.keys: "), std::string::npos) << wrong;
    }
}

TEST_F(SecurityConfigTest, TheCheckSaysIt) {
    EXPECT_EQ(describe(SecurityConfig{}),
              "security   system calls are filtered; TLS keys are for root\n");
    EXPECT_EQ(describe(SecurityConfig{.seccomp = false, .keys = "ingress"}),
              "security   system calls are not filtered; TLS keys are for root and the group "
              "ingress\n");
}

}  // namespace
}  // namespace podlane::control
