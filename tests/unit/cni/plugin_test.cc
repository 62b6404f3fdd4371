#include "control/cni/plugin.h"

#include <gtest/gtest.h>

#include <sstream>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

struct Said {
    int exit_code;
    Json json;
};

Said call(const Environment& environment, const std::string& input) {
    std::ostringstream out;
    const int exit_code = run(environment, input, out);
    return {exit_code, out.str().empty() ? Json() : Json::parse(out.str())};
}

TEST(CniPlugin, VersionTellsAllThatItKnowsAndTheVersionThatWasAsked) {
    const Said said = call({{"CNI_COMMAND", "VERSION"}}, R"({"cniVersion": "0.4.0"})");
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_EQ(said.json["cniVersion"], "0.4.0");
    EXPECT_EQ(said.json["supportedVersions"], Json({"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}));
    EXPECT_EQ(call({{"CNI_COMMAND", "VERSION"}}, "").json["cniVersion"], "1.1.0");
}

TEST(CniPlugin, AnErrorIsOneJsonObjectWithTheVersionOfTheCall) {
    const Said said = call({{"CNI_COMMAND", "ADD"}}, R"({"cniVersion": "1.0.0", "name": "n"})");
    EXPECT_NE(said.exit_code, 0);
    EXPECT_EQ(said.json["cniVersion"], "1.0.0");
    EXPECT_EQ(said.json["code"], code::kBadEnvironment);
    EXPECT_TRUE(said.json["msg"].is_string());
    EXPECT_TRUE(said.json["details"].is_string());
}

class CniPluginWithoutNode : public ::testing::Test {
  protected:
    Json config() {
        return {{"cniVersion", "1.1.0"},
                {"name", "pods"},
                {"socket", folder_.path() + "/none.sock"},
                {"stateDir", folder_.path()},
                {"waitSeconds", 0}};
    }
    Environment environment(const char* command) {
        return {{"CNI_COMMAND", command},
                {"CNI_CONTAINERID", "c1"},
                {"CNI_IFNAME", "eth0"},
                {"CNI_NETNS", "/proc/1/ns/no-such"},
                {"CNI_PATH", "/nowhere"}};
    }
    test::TemporaryFolder folder_;
};

TEST_F(CniPluginWithoutNode, StatusIsCode51) {
    const Said said = call(environment("STATUS"), config().dump());
    EXPECT_EQ(said.exit_code, 1);
    EXPECT_EQ(said.json["code"], code::kLimitedConnectivity);
}

TEST_F(CniPluginWithoutNode, AnAddToAContainerThatIsGoneIsCode3) {
    EXPECT_EQ(call(environment("ADD"), config().dump()).json["code"], code::kUnknownContainer);
}

TEST_F(CniPluginWithoutNode, ADelEndsWellEachTimeAndLeavesTheRemovalOwed) {
    for (int times = 0; times < 3; ++times) {
        const Said said = call(environment("DEL"), config().dump());
        EXPECT_EQ(said.exit_code, 0) << said.json.dump();
        EXPECT_TRUE(said.json.is_null());
    }
    EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/pods/removals/c1:eth0"));
}

TEST_F(CniPluginWithoutNode, ACheckWithoutTheResultOfAddIsCode7) {
    EXPECT_EQ(call(environment("CHECK"), config().dump()).json["code"], code::kBadConfig);
}

TEST_F(CniPluginWithoutNode, AnIpamPluginThatIsNotThereIsNamed) {
    Json json = config();
    json["ipam"] = {{"type", "no-such-ipam"}};
    const Said said = call(environment("ADD"), json.dump());
    EXPECT_EQ(said.json["code"], code::kBadConfig);
    EXPECT_NE(said.json.dump().find("no-such-ipam"), std::string::npos);
}

}  // namespace
}  // namespace podlane::cni
