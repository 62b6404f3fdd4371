#include "lib/dpdk/driver_sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace podlane {
namespace {

/// A packet socket on the loopback interface with almost no room; -1 without the privilege.
int packet_socket() {
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    const int smallest = 1;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
    if (fd >= 0) {
        EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
    return fd;
}

void send_datagrams(unsigned count) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::array<char, 1000> data{};
    for (unsigned i = 0; i < count; ++i) {
        static_cast<void>(::sendto(fd, data.data(), data.size(), 0,
                                   reinterpret_cast<const sockaddr*>(&to), sizeof(to)));
    }
    ::close(fd);
}

TEST(DriverSockets, AreThoseThatCameAndTheirLossesGrow) {
    const int earlier = packet_socket();
    if (earlier < 0) GTEST_SKIP() << "needs CAP_NET_RAW";
    const std::vector<int> before = packet_sockets();
    EXPECT_TRUE(std::binary_search(before.begin(), before.end(), earlier));
    EXPECT_TRUE(DriverSockets(before).empty());
    const int driver = packet_socket();
    DriverSockets sockets(before);
    EXPECT_FALSE(sockets.empty());
    send_datagrams(100);
    const uint64_t lost = sockets.lost();
    EXPECT_GT(lost, 50u) << "there is room for a frame or two";
    EXPECT_EQ(sockets.lost(), lost) << "the kernel's count is set back, ours is not";
    send_datagrams(100);
    EXPECT_GT(sockets.lost(), lost);

    int room = 0;
    socklen_t bytes = sizeof(room);
    ASSERT_EQ(::getsockopt(driver, SOL_SOCKET, SO_SNDBUF, &room, &bytes), 0);
    EXPECT_GE(room, 256 << 20) << "a full ring is seen before the socket is";
    sockets.forget();
    EXPECT_TRUE(sockets.empty());
    ::close(driver);
    ::close(earlier);
}

}  // namespace
}  // namespace podlane
