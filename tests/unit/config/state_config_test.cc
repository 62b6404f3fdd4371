#include "control/config/state_config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "control/config/node_config.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

class StateConfigTest : public testing::Test {
  protected:
    StateConfigTest() {
        std::string name = (fs::temp_directory_path() / "state-config-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~StateConfigTest() override { fs::remove_all(folder_); }

    std::string file(const std::string& state) const {
        const std::string path = folder_ + "/node.yaml";
        std::ofstream(path) << "node: node-a\npods: {cidrs: [10.244.1.0/24]}\n" << state;
        return path;
    }
    static std::string refusal(const std::string& text) {
        const auto config = load_node_config_from_text(
            "node: node-a\npods: {cidrs: [10.244.1.0/24]}\n" + text, "node.yaml");
        return config.ok() ? "accepted" : config.error().message;
    }

    std::string folder_;
};

TEST_F(StateConfigTest, IsKeptBesideTheSocketUnlessSaidOtherwise) {
    auto state = load_state_config(file(""), "/run/podlane/podlane.sock");
    ASSERT_TRUE(state.ok()) << state.error().message;
    EXPECT_TRUE(state->keep);
    EXPECT_EQ(state->directory, "/run/podlane/podlane.state");
    state = load_state_config(file("state: {keep: false, directory: kept}\n"), "/run/x");
    ASSERT_TRUE(state.ok()) << state.error().message;
    EXPECT_FALSE(state->keep);
    EXPECT_EQ(state->directory, folder_ + "/kept");
    state = load_state_config(file("state: {directory: /var/lib/podlane}\n"), "/run/x");
    ASSERT_TRUE(state.ok()) << state.error().message;
    EXPECT_EQ(state->directory, "/var/lib/podlane");
}

TEST_F(StateConfigTest, WrongOnesAreRefusedWithTheNode) {
    EXPECT_EQ(refusal("state: {keep: true}\n"), "accepted");
    EXPECT_NE(refusal("state: {keep: maybe}\n").find("state.keep: "), std::string::npos);
    EXPECT_NE(refusal("state: {folder: /x}\n").find("folder"), std::string::npos);
    EXPECT_NE(refusal("state: {directory: ''}\n").find("state.directory: an empty path"),
              std::string::npos);
    EXPECT_NE(refusal("state: on\n"), "accepted");
}

TEST_F(StateConfigTest, AFileThatIsGoneIsNamed) {
    const auto state = load_state_config(folder_ + "/none.yaml", "/run/x");
    ASSERT_FALSE(state.ok());
    EXPECT_NE(state.error().message.find("none.yaml: cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
