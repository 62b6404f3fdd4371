#include "control/netdev/pod_socket.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

class PodSocketTest : public testing::Test {
  protected:
    PodSocketTest() {
        std::string name = (fs::temp_directory_path() / "pod-socket-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        socket_ = {PodInterface::kMemif, pod_socket_path(folder_ + "/pods", "shop/web", "net1"),
                   ::getuid(), ::getgid()};
    }
    ~PodSocketTest() override { fs::remove_all(folder_); }

    /// Binds the socket, as a new device does.
    void bind_it() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_.path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        ::close(fd);
    }
    static mode_t mode_of(const std::string& path) {
        struct stat there {};
        return ::stat(path.c_str(), &there) == 0 ? there.st_mode & 07777 : 0;
    }

    std::string folder_;
    PodSocket socket_;
};

TEST(PodInterface, HasAWordEach) {
    for (const auto kind : {PodInterface::kTap, PodInterface::kMemif, PodInterface::kVhostUser}) {
        EXPECT_EQ(pod_interface(to_string(kind)), kind);
    }
    EXPECT_FALSE(pod_interface("veth"));
    EXPECT_FALSE(pod_interface(""));
    EXPECT_FALSE(PodSocket{}.is_socket());
}

TEST_F(PodSocketTest, IsBelowItsPodsNameAndNamesItsDevice) {
    EXPECT_EQ(pod_socket_path("/run/podlane/pods", "shop/web", "net1"),
              "/run/podlane/pods/shop/web/net1.sock");
    EXPECT_EQ(pod_socket_device({PodInterface::kMemif, "/a/b.sock"}, 3),
              "net_memif_pod3,role=server,socket=/a/b.sock,socket-abstract=no");
    EXPECT_EQ(pod_socket_device({PodInterface::kVhostUser, "/a/b.sock"}, 4),
              "net_vhost_pod4,iface=/a/b.sock");
}

TEST_F(PodSocketTest, FoldersAreMadeWhateverTheUmask) {
    const mode_t before = ::umask(0077);
    EXPECT_TRUE(make_way_for_socket(socket_).ok());
    bind_it();
    ::umask(before);
    EXPECT_EQ(mode_of(folder_ + "/pods"), 0755u);
    EXPECT_EQ(mode_of(folder_ + "/pods/shop/web"), 0755u);
    EXPECT_TRUE(hand_over_socket(socket_).ok());
    EXPECT_EQ(mode_of(socket_.path), 0660u);
}

TEST_F(PodSocketTest, ThePodsUserAndGroupMayConnectAndNobodyElse) {
    if (::getuid() != 0) GTEST_SKIP() << "to become another user takes root";
    ASSERT_TRUE(make_way_for_socket(socket_).ok());
    ::chmod(folder_.c_str(), 0755);
    bind_it();
    socket_.user = 1234;
    socket_.group = 4321;
    const auto given = hand_over_socket(socket_);
    ASSERT_TRUE(given.ok()) << given.error().message;
    const auto may_connect = [this](uid_t user, gid_t group) {
        const pid_t child = ::fork();
        if (child == 0) {
            const bool is_other =
                ::setgroups(0, nullptr) == 0 && ::setgid(group) == 0 && ::setuid(user) == 0;
            ::_exit(is_other && ::access(socket_.path.c_str(), R_OK | W_OK) == 0 ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        return status == 0;
    };
    EXPECT_TRUE(may_connect(1234, 99));
    EXPECT_TRUE(may_connect(99, 4321));
    EXPECT_FALSE(may_connect(99, 99));
}

TEST_F(PodSocketTest, ASocketOfBeforeGivesWayAndNothingElseDoes) {
    ASSERT_TRUE(make_way_for_socket(socket_).ok());
    bind_it();
    EXPECT_TRUE(make_way_for_socket(socket_).ok());
    EXPECT_FALSE(fs::exists(socket_.path));
    std::ofstream(socket_.path) << "somebody's";
    const auto refused = make_way_for_socket(socket_);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, socket_.path + ": is there, and no socket");
    EXPECT_FALSE(hand_over_socket(socket_).ok());
    fs::remove(socket_.path);
    EXPECT_FALSE(hand_over_socket(socket_).ok()) << "the device has made none";
}

TEST_F(PodSocketTest, APathThatNoSocketCanHaveIsRefused) {
    socket_.path = folder_ + "/" + std::string(120, 'x') + "/net1.sock";
    const auto refused = make_way_for_socket(socket_);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("a socket's path has 107 bytes at most"),
              std::string::npos);
    EXPECT_TRUE(fs::is_empty(folder_));
    std::ofstream(folder_ + "/pods") << "no folder";
    socket_.path = folder_ + "/pods/shop/web/net1.sock";
    EXPECT_EQ(make_way_for_socket(socket_).error().message, folder_ + "/pods: is no folder");
}

TEST_F(PodSocketTest, ItsFoldersGoWithTheLastSocketInThem) {
    ASSERT_TRUE(make_way_for_socket(socket_).ok());
    bind_it();
    std::ofstream(folder_ + "/pods/shop/web/other") << "kept";
    remove_socket(socket_);
    EXPECT_FALSE(fs::exists(socket_.path));
    EXPECT_TRUE(fs::exists(folder_ + "/pods/shop/web/other"));
    fs::remove(folder_ + "/pods/shop/web/other");
    remove_socket(socket_);
    EXPECT_FALSE(fs::exists(folder_ + "/pods/shop"));
    EXPECT_TRUE(fs::exists(folder_ + "/pods"));
}

}  // namespace
}  // namespace podlane::control
