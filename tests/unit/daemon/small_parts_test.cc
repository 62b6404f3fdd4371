// The parts that stand alone: command line, CPUs, service manager.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "control/daemon/cpus.h"
#include "control/daemon/options.h"
#include "control/daemon/service_manager.h"

namespace podlane::control {
namespace {

Result<DaemonOptions> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "podlaned");
    return parse_daemon_options(static_cast<int>(words.size()), words.data());
}

TEST(Options, AFileIsEnough) {
    const auto options = parse({"--config", "a.yaml"});
    ASSERT_TRUE(options.ok());
    EXPECT_EQ(options->config, "a.yaml");
    EXPECT_EQ(options->log_level, LogLevel::kInfo);
    EXPECT_FALSE(options->check);
    EXPECT_TRUE(options->eal_arguments.empty());
}

TEST(Options, WhatStandsBehindTheDashesIsForDpdk) {
    const auto options = parse({"--config", "a.yaml", "--check", "--", "--log-level", "8", "--"});
    ASSERT_TRUE(options.ok());
    EXPECT_TRUE(options->check);
    EXPECT_EQ(options->log_level, LogLevel::kInfo);
    EXPECT_EQ(options->eal_arguments, (std::vector<std::string>{"--log-level", "8", "--"}));
}

TEST(Options, MistakesAreNamed) {
    EXPECT_NE(parse({}).error().message.find("--config"), std::string::npos);
    EXPECT_NE(parse({"--config", "a", "--log-level", "loud"}).error().message.find("loud"),
              std::string::npos);
    EXPECT_FALSE(parse({"--config", "a", "--spoon"}).ok());
    EXPECT_FALSE(parse({"--config", "a", "stray"}).ok());
    EXPECT_FALSE(parse({"--conf", "a"}).ok());
    EXPECT_FALSE(parse({"--config"}).ok());
}

TEST(Options, WhatIsOnlySaidOrUndoneHasItsOwn) {
    EXPECT_TRUE(parse({"--config", "a", "--dry-run"})->dry_run);
    EXPECT_FALSE(parse({"--config", "a", "--dry-run"})->give_back);
    EXPECT_TRUE(parse({"--config", "a", "--give-back"})->give_back);
}

TEST(Options, VersionAndHelpNeedNoConfiguration) {
    EXPECT_TRUE(parse({"--version"})->version);
    EXPECT_TRUE(parse({"--help"})->help);
    EXPECT_NE(daemon_usage().find("--check"), std::string::npos);
}

TEST(Cpus, NamedOnesAreTakenAndLeftFreeOfControl) {
    const auto plan = plan_cpus({2, {2, 3}}, IdleMode::kPoll, {0, 1, 2, 3});
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->workers, (std::vector<int>{2, 3}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 1}));
    EXPECT_TRUE(plan->hints.empty());
}

TEST(Cpus, OneThatWeMayNotUseIsRefused) {
    const auto plan = plan_cpus({1, {7}}, IdleMode::kPoll, {0, 1});
    ASSERT_FALSE(plan.ok());
    EXPECT_NE(plan.error().message.find("CPU 7"), std::string::npos);
}

TEST(Cpus, PollingWorkersGetOneEachAndLeaveTheFirst) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kPoll, {0, 1, 2, 3});
    EXPECT_EQ(plan->workers, (std::vector<int>{1, 2}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 3}));
}

TEST(Cpus, SleepingWorkersAreLeftToTheKernel) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kAdaptive, {0, 1, 2, 3});
    EXPECT_EQ(plan->workers, (std::vector<int>{-1, -1}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0, 1, 2, 3}));
}

TEST(Cpus, OneCpuIsEnoughAndAHintSaysSo) {
    const auto plan = plan_cpus({2, {}}, IdleMode::kPoll, {0});
    EXPECT_EQ(plan->workers, (std::vector<int>{0, 0}));
    EXPECT_EQ(plan->control, (std::vector<unsigned>{0}));
    EXPECT_EQ(plan->hints.size(), 1u);
}

TEST(Cpus, TheKernelAgrees) {
    const std::vector<unsigned> before = allowed_cpus();
    ASSERT_FALSE(before.empty());
    ASSERT_TRUE(run_on_cpus({before.back()}).ok());
    EXPECT_EQ(allowed_cpus(), std::vector<unsigned>{before.back()});
    ASSERT_TRUE(run_on_cpus(before).ok());
    EXPECT_EQ(allowed_cpus(), before);
    EXPECT_FALSE(run_on_cpus({}).ok());
}

TEST(ServiceManager, GetsItsDatagram) {
    const std::string path = "/tmp/podlane-notify-" + std::to_string(getpid());
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    EXPECT_TRUE(notify_service_manager("READY=1"));
    char text[32] = {};
    EXPECT_EQ(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
    EXPECT_STREQ(text, "READY=1");
    close(fd);
    unlink(path.c_str());
    EXPECT_FALSE(notify_service_manager("READY=1"));
    unsetenv("NOTIFY_SOCKET");
    EXPECT_FALSE(notify_service_manager("READY=1"));
}

TEST(Options, AnUpgradesAreKnown) {
    const auto plain = parse({"--config", "a.yaml"});
    EXPECT_FALSE(plain->take_over || plain->background || plain->state);
    const auto options = parse({"--config", "a.yaml", "--take-over", "--background"});
    ASSERT_TRUE(options.ok());
    EXPECT_TRUE(options->take_over && options->background);
    EXPECT_TRUE(parse({"--config", "a.yaml", "--check", "--state"})->state);
}

TEST(ServiceManager, IsThereWhereTheVariableIs) {
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_FALSE(has_service_manager());
    ::setenv("NOTIFY_SOCKET", "/tmp/none", 1);
    EXPECT_TRUE(has_service_manager());
    ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace podlane::control
