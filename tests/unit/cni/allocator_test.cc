#include "control/cni/allocator.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using test::failure_code;

constexpr auto kWait = std::chrono::seconds(20);

std::vector<IpPrefix> cidrs(const std::vector<std::string>& texts) {
    std::vector<IpPrefix> made;
    for (const std::string& text : texts) made.push_back(*parse_prefix(text));
    return made;
}

class CniAllocator : public ::testing::Test {
  protected:
    std::vector<std::string> take(const std::string& container,
                                  const std::vector<IpAddress>& wanted = {},
                                  const std::set<IpAddress>& avoid = {}) {
        std::vector<std::string> texts;
        for (const auto& each : made_.take({container, "eth0"}, pods_, wanted, avoid)) {
            texts.push_back(to_string(each));
        }
        return texts;
    }
    static IpAddress ip(const char* text) { return *parse_ip(text); }

    test::TemporaryFolder folder_;
    std::vector<IpPrefix> pods_ = cidrs({"10.244.1.0/29", "fd00:10:244:1::/64"});
    Allocator made_{folder_.path() + "/a/b", kWait};
};

using Texts = std::vector<std::string>;

TEST_F(CniAllocator, GivesOneAddressOfEachFamilyAndNeverTheNetworksOrTheGateways) {
    EXPECT_EQ(take("a"), (Texts{"10.244.1.2/29", "fd00:10:244:1::2/64"}));
    EXPECT_EQ(take("b"), (Texts{"10.244.1.3/29", "fd00:10:244:1::3/64"}));
    EXPECT_EQ(pod_addresses_in(pods_[0]), 5U);  // of 8: not .0, .1 and .7
    EXPECT_EQ(pod_addresses_in(*parse_prefix("10.0.0.0/31")), 0U);
    EXPECT_EQ(pod_addresses_in(*parse_prefix("10.0.0.0/32")), 0U);
    EXPECT_EQ(pod_addresses_in(*parse_prefix("10.0.0.0/24")), 253U);
    EXPECT_EQ(pod_addresses_in(*parse_prefix("fd00::/126")), 2U);
}

TEST_F(CniAllocator, TheSameHolderGetsTheSameAgain) {
    const Texts first = take("a");
    take("b");
    EXPECT_EQ(take("a"), first);
    EXPECT_EQ(made_.held_by({"a", "eth0"}).size(), 2U);
}

TEST_F(CniAllocator, AFreedAddressRestsWhileThereAreOthers) {
    take("a");
    made_.release({"a", "eth0"});
    EXPECT_EQ(take("b")[0], "10.244.1.3/29");
}

TEST_F(CniAllocator, AFullCidrIsTryAgainAndGivesNothingOfTheOtherFamily) {
    for (const char* holder : {"a", "b", "c", "d", "e"}) take(holder);
    EXPECT_EQ(failure_code([&] { take("f"); }), code::kTryAgainLater);
    EXPECT_TRUE(made_.held_by({"f", "eth0"}).empty());
    EXPECT_EQ(failure_code([&] { made_.check_room(pods_); }), code::kTryAgainLater);
    made_.release({"c", "eth0"});
    made_.check_room(pods_);
    EXPECT_EQ(take("f")[0], "10.244.1.4/29");
}

TEST_F(CniAllocator, OneInterfaceIsReleasedAndTheOthersStay) {
    take("a");
    (void)made_.take({"a", "net1"}, pods_, {}, {});
    made_.release({"a", "eth0"});
    EXPECT_EQ(made_.holders(), (std::set<Attachment>{{"a", "net1"}}));
    made_.release({"nobody", "eth0"});
    EXPECT_EQ(made_.holders().size(), 1U);
}

TEST_F(CniAllocator, GivesWhatIsAskedForWhenItIsFreeAndOfThisNode) {
    EXPECT_EQ(take("a", {ip("10.244.1.5")})[0], "10.244.1.5/29");
    EXPECT_EQ(failure_code([&] { take("b", {ip("10.244.1.5")}); }), code::kTryAgainLater);
    EXPECT_EQ(failure_code([&] { take("b", {ip("10.9.9.9")}); }), code::kBadConfig);
    EXPECT_TRUE(made_.held_by({"b", "eth0"}).empty());
}

TEST_F(CniAllocator, WhatOthersHaveIsLeftOutAlsoWhenItWasOursBefore) {
    EXPECT_EQ(take("a")[0], "10.244.1.2/29");
    EXPECT_EQ(take("a", {}, {ip("10.244.1.2"), ip("10.244.1.3")})[0], "10.244.1.4/29");
    EXPECT_EQ(made_.held_by({"a", "eth0"}).size(), 2U);
}

/// Runs `count` processes that each take and are killed at some moment; none has ended well.
void kill_takers(const std::string& folder, const std::vector<IpPrefix>& pods, int count) {
    std::vector<pid_t> children;
    for (int i = 0; i < count; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            const Allocator mine(folder, kWait);
            for (int round = 0;; ++round) {
                const Attachment holder{"k" + std::to_string(i) + "." + std::to_string(round),
                                        "eth0"};
                (void)mine.take(holder, pods, {}, {});
                mine.release(holder);
            }
        }
        children.push_back(child);
    }
    ::usleep(20'000);
    for (const pid_t child : children) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
}

TEST_F(CniAllocator, ManyProcessesGetDifferentAddressesAndKilledOnesLeaveOnlyWhatAGcFinds) {
    pods_ = cidrs({"10.244.0.0/20", "fd00:10:244:1::/64"});
    const std::string folder = folder_.path() + "/many";
    kill_takers(folder, pods_, 8);
    const Allocator mine(folder, kWait);
    for (const Attachment& dead : mine.holders()) mine.release(dead);
    EXPECT_TRUE(mine.holders().empty());

    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            const Allocator its(folder, kWait);
            for (int n = 0; n < 20; ++n) {
                const Attachment holder{"c" + std::to_string(i * 20 + n), "eth0"};
                if (its.take(holder, pods_, {}, {}).size() != 2) ::_exit(1);
            }
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    std::set<IpAddress> all;
    for (const Attachment& holder : mine.holders()) {
        const auto held = mine.held_by(holder);
        EXPECT_EQ(held.size(), 2U);
        all.insert(held.begin(), held.end());
    }
    EXPECT_EQ(mine.holders().size(), 160U);
    EXPECT_EQ(all.size(), 320U);
}

}  // namespace
}  // namespace podlane::cni
