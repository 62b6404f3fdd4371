#include "control/cli/upgrade.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

const Json kProcess{{"binary", "/usr/sbin/podlaned"},
                    {"arguments",
                     {"podlaned", "--config", "/etc/podlane/node.yaml", "--take-over",
                      "--background", "--", "--check"}}};

TEST(Upgrade, TheNewOneIsToldWhatTheOldOneWasBeforeWhatIsDpdks) {
    EXPECT_EQ(upgrade_words(kProcess, "/opt/podlaned", {"--check", "--state"}),
              (Words{"/opt/podlaned", "--check", "--state", "--config", "/etc/podlane/node.yaml",
                     "--", "--check"}))
        << "but for what was about its own start";
}

TEST(Upgrade, WithoutAProgramItIsTheFileThatTheOldOneWas) {
    EXPECT_EQ(upgrade_words(kProcess, "", {})[0], "/usr/sbin/podlaned");
    Json replaced = kProcess;
    replaced["binary"] = "/usr/sbin/podlaned (deleted)";
    EXPECT_EQ(upgrade_words(replaced, "", {})[0], "/usr/sbin/podlaned");
}

}  // namespace
}  // namespace podlane::control
