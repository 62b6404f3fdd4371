#include "control/cni/delegate.h"

#include <gtest/gtest.h>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using test::failure_code;

class CniDelegate : public ::testing::Test {
  protected:
    Request request(const std::string& version = "1.0.0") {
        Request made;
        made.version = version;
        made.config = {{"cniVersion", version}, {"name", "pods"}, {"ipam", {{"type", "ip"}}}};
        made.ipam = "ip";
        made.plugin_path = "/nonexistent::" + folder_.path();
        made.attachment = {"c1", "eth0"};
        return made;
    }
    Json add(const Request& made) { return Delegate(made, environment_).add(); }

    test::TemporaryFolder folder_;
    Environment environment_ = {
        {"CNI_COMMAND", "STATUS"}, {"CNI_ARGS", "A=B"}, {"PATH", "/usr/bin:/bin"}};
};

TEST_F(CniDelegate, GetsTheEnvironmentAndTheWholeConfiguration) {
    folder_.script("ip", R"(read -r text
        printf '{"command": "%s", "id": "%s", "args": "%s", "in": %s}' \
            "$CNI_COMMAND" "$CNI_CONTAINERID" "$CNI_ARGS" "$text")");
    const Json said = add(request());
    EXPECT_EQ(said["command"], "ADD");
    EXPECT_EQ(said["id"], "c1");
    EXPECT_EQ(said["args"], "A=B");
    EXPECT_EQ(said["in"], request().config);
}

TEST_F(CniDelegate, ItsOwnErrorIsPassedOnWithItsName) {
    folder_.script("ip", R"(echo '{"code": 11, "msg": "pool is empty", "details": "10.0.0.0/24"}'
        exit 1)");
    try {
        (void)add(request());
        FAIL();
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), code::kTryAgainLater);
        EXPECT_EQ(failure.message(), "IPAM plugin ip ADD: pool is empty");
        EXPECT_EQ(failure.details(), "10.0.0.0/24");
    }
}

TEST_F(CniDelegate, AnEndWithoutAnErrorInJsonIsOneToo) {
    for (const char* body : {"exit 3", "kill -9 $$", "echo nonsense", "echo '[]'"}) {
        folder_.script("ip", body);
        EXPECT_EQ(failure_code([&] { (void)add(request()); }), code::kIpam) << body;
    }
}

TEST_F(CniDelegate, APluginThatIsNotThereOrNoProgramIsNamed) {
    Request made = request();
    EXPECT_EQ(failure_code([&] { Delegate(made, environment_); }), code::kBadConfig);
    made.plugin_path.clear();
    EXPECT_EQ(failure_code([&] { Delegate(made, environment_); }), code::kBadConfig);
}

constexpr const char* kOld = R"(read -r text
    case "$CNI_COMMAND:$text" in
        VERSION:*) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
        GC:*|STATUS:*) exit 1 ;;
        *1.1.0*) echo '{"code": 1, "msg": "incompatible CNI versions"}'; exit 1 ;;
        *) printf '{"in": %s}' "$text" ;;
    esac)";

TEST_F(CniDelegate, AnOlderPluginGetsTheNewestVersionThatItKnows) {
    folder_.script("ip", kOld);
    EXPECT_EQ(add(request("1.1.0"))["in"]["cniVersion"], "1.0.0");
    EXPECT_EQ(add(request("0.4.0"))["in"]["cniVersion"], "0.4.0");
}

TEST_F(CniDelegate, AnOlderPluginIsNotAskedForGcAndStatus) {
    folder_.script("ip", kOld);
    const Request made = request("1.1.0");
    Delegate delegate(made, environment_);
    delegate.gc();
    delegate.status();
    folder_.script("ip", R"(read -r text
        [ "$CNI_COMMAND" = VERSION ] || exit 1
        echo '{"supportedVersions": ["1.0.0", "1.1.0"]}')");
    EXPECT_EQ(failure_code([&] { delegate.gc(); }), code::kIpam);
    EXPECT_EQ(failure_code([&] { delegate.status(); }), code::kIpam);
    EXPECT_EQ(failure_code([&] { delegate.check(); }), code::kIpam);
}

TEST_F(CniDelegate, ADelIsOfTheAttachmentThatIsNamed) {
    folder_.script("ip", R"([ "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME" = "DEL old net1" ])");
    const Request made = request();
    Delegate delegate(made, environment_);
    delegate.del({"old", "net1"});
    EXPECT_EQ(failure_code([&] { delegate.del({"new", "net1"}); }), code::kIpam);
}

TEST_F(CniDelegate, MoreThanAPipeHoldsGoesBothWaysAndWhoReadsNothingDoesNoHarm) {
    const std::string cat = folder_.script("cat", "exec cat");
    const std::string large(1 << 20, 'x');
    EXPECT_EQ(run_program(cat, environment_, large, std::chrono::seconds(60)).second, large);
    const std::string deaf = folder_.script("deaf", "exit 4");
    const auto [status, output] = run_program(deaf, environment_, large, std::chrono::seconds(60));
    EXPECT_NE(status, 0);
    EXPECT_EQ(output, "");
}

TEST_F(CniDelegate, OneThatDoesNotEndIsKilled) {
    const std::string slow = folder_.script("slow", "exec sleep 60");
    EXPECT_EQ(failure_code([&] {
                  (void)run_program(slow, environment_, "", std::chrono::milliseconds(50));
              }),
              code::kTryAgainLater);
}

}  // namespace
}  // namespace podlane::cni
