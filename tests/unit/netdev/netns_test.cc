#include "control/netdev/netns.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

ino_t current_namespace() {
    struct stat info {};
    ::stat("/proc/thread-self/ns/net", &info);
    return info.st_ino;
}

using Netns = NetdevTest;

TEST_F(Netns, WorkRunsInsideAndTheCallerStaysOutside) {
    const ScratchNamespace scratch;
    const ino_t outside = current_namespace();
    ino_t inside = 0;
    scratch.run([&] { inside = current_namespace(); });
    EXPECT_NE(inside, 0U);
    EXPECT_NE(inside, outside);
    EXPECT_EQ(current_namespace(), outside);
}

TEST_F(Netns, AnEmptyPathIsTheCallersOwnNamespace) {
    ino_t inside = 0;
    const auto done = in_network_namespace("", [&]() -> Result<void> {
        inside = current_namespace();
        return {};
    });
    EXPECT_TRUE(done.ok());
    EXPECT_EQ(inside, current_namespace());
}

TEST_F(Netns, TheErrorOfTheWorkComesBack) {
    const ScratchNamespace scratch;
    const auto done =
        in_network_namespace(scratch.path(), []() -> Result<void> { return Error{"refused"}; });
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().message, "refused");
}

TEST_F(Netns, APathThatIsNoNetworkNamespaceIsNamed) {
    const auto nothing = [] { return Result<void>{}; };
    for (const char* path : {"/run/netns/does-not-exist", "/dev/null", "/proc/self/ns/mnt"}) {
        const auto done = in_network_namespace(path, nothing);
        ASSERT_FALSE(done.ok()) << path;
        EXPECT_NE(done.error().message.find(path), std::string::npos) << done.error().message;
    }
}

TEST_F(Netns, AFifoIsRefusedAndNotWaitedFor) {
    const std::string path = ::testing::TempDir() + "podlane-netns-fifo";
    ::unlink(path.c_str());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const auto done = in_network_namespace(path, [] { return Result<void>(); });
    ::unlink(path.c_str());
    ASSERT_FALSE(done.ok());
    EXPECT_NE(done.error().message.find("not a network namespace"), std::string::npos);
}

TEST_F(Netns, NothingButANamespaceIsOpened) {
    // Opening /dev/ptmx creates a terminal: there would be one more.
    const auto terminals = [] {
        size_t count = 0;
        for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/dev/pts")) {
            ++count;
        }
        return count;
    };
    const size_t before = terminals();
    const auto opened = open_network_namespace("/dev/ptmx");
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().message.find("/dev/ptmx: this is not"), std::string::npos);
    EXPECT_EQ(terminals(), before);
    bool is_hidden = true;
    EXPECT_EQ(netns_id("/run/netns/none", &is_hidden), NetnsId{});
    EXPECT_FALSE(is_hidden) << "it is not there, for nobody";
}

TEST_F(Netns, ANewOneIsEmptyAndLivesAsLongAsItIsHeld) {
    auto made = new_network_namespace();
    ASSERT_TRUE(made.ok()) << made.error().message;
    const std::string path = namespace_path(*made);
    ino_t inside = 0;
    const auto done = in_network_namespace(path, [&]() -> Result<void> {
        inside = current_namespace();
        return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_NE(inside, current_namespace());
    made->reset();
    EXPECT_FALSE(in_network_namespace(path, [] { return Result<void>{}; }).ok());
}

TEST_F(Netns, SettingsBelongToTheNamespace) {
    const ScratchNamespace a;
    const ScratchNamespace b;
    const std::string path = interface_sysctl("ipv4", "all", "rp_filter");
    a.run([&] { EXPECT_TRUE(write_sysctl(path, "2").ok()); });
    a.run([&] { EXPECT_EQ(*read_sysctl(path), "2"); });
    b.run([&] { EXPECT_NE(*read_sysctl(path), "2"); });
    const auto unknown = read_sysctl(interface_sysctl("ipv4", "nothing0", "rp_filter"));
    ASSERT_FALSE(unknown.ok());
    EXPECT_NE(unknown.error().message.find("nothing0"), std::string::npos);
}

using RtnlTest = NetdevTest;

TEST_F(RtnlTest, ALinkIsFoundChangedAndDeleted) {
    const ScratchNamespace scratch;
    ASSERT_TRUE(scratch.shell("ip link add a0 type veth peer name a1"));
    scratch.run([] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        EXPECT_FALSE((*rtnl->find_link("nothing0")).has_value());
        ASSERT_TRUE(rtnl->change_link("a0", {.name = "b0",
                                             .mac = mac("02:00:00:00:00:07"),
                                             .mtu = 1400,
                                             .tx_queue_length = 77,
                                             .up = true})
                        .ok());
        EXPECT_FALSE((*rtnl->find_link("a0")).has_value());
        const auto link = *rtnl->find_link("b0");
        ASSERT_TRUE(link.has_value());
        EXPECT_EQ(link->kind, "veth");
        EXPECT_EQ(link->mac, mac("02:00:00:00:00:07"));
        EXPECT_EQ(link->mtu, 1400U);
        EXPECT_TRUE(link->up);
        ASSERT_TRUE(rtnl->change_link("b0", {.up = false}).ok());
        EXPECT_FALSE((*rtnl->find_link("b0"))->up);
        EXPECT_TRUE(rtnl->delete_link(link->ifindex).ok());
        EXPECT_FALSE((*rtnl->find_link("b0")).has_value());
    });
}

TEST_F(RtnlTest, ARouteThatIsThereIsNotAddedTwice) {
    const ScratchNamespace scratch;
    ASSERT_TRUE(
        scratch.shell("ip link add a0 type veth peer name a1 && ip link set a0 up && "
                      "ip link set a1 up"));
    scratch.run([] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        const int index = (*rtnl->find_link("a0"))->ifindex;
        const auto added = rtnl->add_route(index, {.destination = prefix("10.1.0.0/16")});
        ASSERT_TRUE(added.ok()) << added.error().message;
        EXPECT_TRUE(*added);
        EXPECT_FALSE(*rtnl->add_route(index, {.destination = prefix("10.1.0.0/16")}));
        const auto unreachable =
            rtnl->add_route(index, {.destination = prefix("10.2.0.0/16"), .via = ip("192.0.2.1")});
        ASSERT_FALSE(unreachable.ok());
        EXPECT_NE(unreachable.error().message.find("10.2.0.0/16"), std::string::npos);
        EXPECT_TRUE(rtnl->add_neighbor(index, ip("10.1.0.1"), mac("02:00:00:00:00:09")).ok());
    });
}

}  // namespace
}  // namespace podlane::control
