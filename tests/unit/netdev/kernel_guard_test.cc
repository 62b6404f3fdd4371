#include "control/netdev/kernel_guard.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"
#include "control/netdev/tap.h"
#include "control/netdev/xdp_pass.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

/// A peer at 192.168.50.9 and a node whose address 192.168.50.1 is on the TAP podlane0 while the
/// wire to the peer ends in uplink0, as podlaned has it.
class KernelGuard : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        // Moved by its descriptor: ip(8) takes only names and process ids.
        ASSERT_TRUE(
            peer_.shell("ip link add wire0 address 02:00:00:00:00:09 type veth peer name "
                        "uplink0 address 02:00:00:00:00:01"));
        const UniqueFd node(::open(node_.path().c_str(), O_RDONLY | O_CLOEXEC));
        peer_.run([&] {
            auto rtnl = Rtnl::open();
            ASSERT_TRUE(rtnl.ok());
            ASSERT_TRUE(rtnl->change_link("uplink0", {.netns_fd = node.get()}).ok());
        });
        ASSERT_TRUE(
            peer_.shell("ip addr add 192.168.50.9/24 dev wire0 && ip link set wire0 up && "
                        "ip neigh add 192.168.50.1 lladdr 02:00:00:00:00:01 dev wire0"));
        ASSERT_TRUE(node_.shell("ip link set uplink0 up"));
        // The kernel drops what is sent before it has noticed that both ends are up.
        ASSERT_TRUE(
            peer_.shell("for i in $(seq 100); do ip link show wire0 | grep -q 'state UP' "
                        "&& exit 0; sleep 0.02; done; exit 1"));
    }

    /// What the node's kernel gets of a datagram that the peer sends to 192.168.50.1.
    bool kernel_receives_datagram() {
        UniqueFd listener;
        node_.run([&] {
            listener = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in any{};
            any.sin_family = AF_INET;
            any.sin_port = htons(7777);
            ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
        });
        send_datagrams(10, 0);
        // Delivery over veth is done before send() returns, or a softirq later.
        pollfd entry{.fd = listener.get(), .events = POLLIN, .revents = 0};
        return ::poll(&entry, 1, 100) == 1;
    }

    /// One send of `bytes`; with `segment` > 0 as UDP GSO in segments of that size.
    void send_datagrams(size_t bytes, int segment) {
        peer_.run([&] {
            const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(7777);
            ::inet_pton(AF_INET, "192.168.50.1", &to.sin_addr);
            if (segment > 0) {
                ASSERT_EQ(
                    ::setsockopt(socket.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
            }
            const std::vector<uint8_t> data(bytes, 0x5a);
            ASSERT_EQ(::sendto(socket.get(), data.data(), data.size(), 0,
                               reinterpret_cast<sockaddr*>(&to), sizeof(to)),
                      static_cast<ssize_t>(bytes));
        });
    }

    /// The sizes of the IPv4 frames that a packet socket on uplink0 gets of 10 kB of UDP GSO.
    std::vector<size_t> frame_sizes() {
        UniqueFd socket;
        node_.run([&] {
            socket = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP)));
            sockaddr_ll address{};
            address.sll_family = AF_PACKET;
            address.sll_protocol = htons(ETH_P_IP);
            address.sll_ifindex = static_cast<int>(::if_nametoindex("uplink0"));
            ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
                      0);
        });
        send_datagrams(10000, 1000);
        std::vector<size_t> sizes;
        std::array<uint8_t, 70000> buffer{};
        size_t sum = 0;
        while (sum < 10000 && (wait_for(socket.get(), POLLIN) & POLLIN) != 0) {
            const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0) break;
            sizes.push_back(static_cast<size_t>(got));
            sum += static_cast<size_t>(got);
        }
        return sizes;
    }

    ScratchNamespace peer_;
    ScratchNamespace node_;
};

TEST_F(KernelGuard, TheKernelDoesNotProcessWhatArrivesOnTheUplink) {
    node_.run([&] {
        const auto tap = create_host_tap({.ifname = "podlane0",
                                          .mac = mac("02:00:00:00:00:01"),
                                          .addresses = {address("192.168.50.1/24")},
                                          .gateways = {},
                                          .cluster_cidrs = {},
                                          .routers = {},
                                          .offloads = {}});
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        // Strict or not by default, with this it is the host's weak model that would answer.
        ASSERT_TRUE(write_sysctl(interface_sysctl("ipv4", "all", "rp_filter"), "0").ok());
        ASSERT_TRUE(write_sysctl(interface_sysctl("ipv4", "uplink0", "rp_filter"), "0").ok());
        EXPECT_TRUE(kernel_receives_datagram());
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        EXPECT_TRUE(guard->take_warnings().empty());
        EXPECT_FALSE(kernel_receives_datagram());
    });
}

TEST_F(KernelGuard, TheKernelAnswersNoArpOnTheUplink) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/32 dev lo && ip link set lo up"), 0);
    });
    // 192.168.50.1 is asked for by ARP now, which a datagram starts.
    const auto is_answered = [&] {
        EXPECT_TRUE(peer_.shell("ip neigh replace 192.168.50.1 dev wire0 nud none"));
        send_datagrams(10, 0);
        return peer_.shell(
            "for i in 1 2 3 4 5; do ip neigh show 192.168.50.1 | "
            "grep -q 02:00:00:00:00:01 && exit 0; sleep 0.05; done; exit 1");
    };
    EXPECT_TRUE(is_answered());
    node_.run([&] {
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        EXPECT_FALSE(is_answered());
    });
}

TEST_F(KernelGuard, LargeFramesOfAVethArriveSegmented) {
    const auto before = frame_sizes();
    EXPECT_EQ(before.size(), 1U);  // one frame of 10 kB: what a packet ring cuts off
    node_.run([&] {
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        EXPECT_TRUE(guard->take_warnings().empty());
        const auto during = frame_sizes();
        EXPECT_EQ(during.size(), 10U);
        for (const size_t size : during) EXPECT_LE(size, 1514U);
    });
    EXPECT_EQ(frame_sizes().size(), 1U);
}

TEST_F(KernelGuard, AVethOfJumboFramesIsGuardedToo) {
    ASSERT_TRUE(peer_.shell("ip link set wire0 mtu 9000"));
    ASSERT_TRUE(node_.shell("ip link set uplink0 mtu 9000"));
    node_.run([&] {
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        EXPECT_TRUE(guard->take_warnings().empty());
    });
}

TEST_F(KernelGuard, TheXdpProgramGoesWithItsDescriptor) {
    const char* is_there = "ip -o link show uplink0 | grep -q xdp";
    node_.run([&] {
        auto program = attach_xdp_pass(static_cast<int>(::if_nametoindex("uplink0")));
        ASSERT_TRUE(program.ok()) << program.error().message;
        EXPECT_TRUE(node_.shell(is_there));
        program->reset();
        EXPECT_FALSE(node_.shell(is_there));
        const auto nowhere = attach_xdp_pass(9999);
        ASSERT_FALSE(nowhere.ok());
        EXPECT_NE(nowhere.error().message.find("attach XDP program"), std::string::npos);
    });
}

TEST_F(KernelGuard, ForProgramsTheIngressMustBeFreeAndIsRemovedAtTheEnd) {
    const auto guard = [](KernelInterfaceUse use, const std::string& memory) {
        return guard_kernel_interface("uplink0", use, {}, memory);
    };
    const std::string memory = testing::TempDir() + "ingress.json";
    node_.run([&] {
        ASSERT_TRUE(node_.shell("tc qdisc add dev uplink0 clsact"));
        const auto refused = guard(KernelInterfaceUse::kPrograms, "");
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.error().message.find("tc qdisc del dev uplink0 clsact"),
                  std::string::npos);
        auto rtnl = Rtnl::open();
        const int ifindex = (*rtnl->find_link("uplink0"))->ifindex;
        EXPECT_TRUE(*rtnl->has_ingress(ifindex)) << "that of others stays";
        ASSERT_TRUE(rtnl->remove_ingress(ifindex).ok());
        EXPECT_TRUE(rtnl->remove_ingress(ifindex).ok());
        {
            auto first = guard(KernelInterfaceUse::kPrograms, memory);
            ASSERT_TRUE(first.ok()) << first.error().message;
            ASSERT_TRUE(node_.shell("tc qdisc add dev uplink0 clsact"));
            first->leave();
        }
        EXPECT_TRUE(*rtnl->has_ingress(ifindex)) << "for the next process";
        {
            auto next = guard(KernelInterfaceUse::kPrograms, memory);
            ASSERT_TRUE(next.ok()) << next.error().message;
            next->leave();
        }
        {
            auto other = guard(KernelInterfaceUse::kXdpSocket, memory);
            ASSERT_TRUE(other.ok()) << other.error().message;
            EXPECT_FALSE(*rtnl->has_ingress(ifindex)) << "another use does without";
        }
        {
            auto again = guard(KernelInterfaceUse::kPrograms, memory);
            ASSERT_TRUE(again.ok()) << again.error().message;
            ASSERT_TRUE(node_.shell("tc qdisc add dev uplink0 clsact"));
        }
        EXPECT_FALSE(*rtnl->has_ingress(ifindex));
    });
}

TEST_F(KernelGuard, OldSettingsComeBack) {
    node_.run([&] {
        const auto value = [](const char* family, const char* key) {
            return *read_sysctl(interface_sysctl(family, "uplink0", key));
        };
        ASSERT_TRUE(write_sysctl(interface_sysctl("ipv4", "uplink0", "rp_filter"), "2").ok());
        ASSERT_EQ(std::system("ip link set uplink0 down"), 0);
        {
            auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kXdpSocket);
            ASSERT_TRUE(guard.ok()) << guard.error().message;
            EXPECT_EQ(value("ipv4", "rp_filter"), "1");
            EXPECT_EQ(value("ipv4", "arp_ignore"), "8");
            EXPECT_EQ(value("ipv6", "disable_ipv6"), "1");
            EXPECT_TRUE((*Rtnl::open()->find_link("uplink0"))->up);
        }
        EXPECT_EQ(value("ipv4", "rp_filter"), "2");
        EXPECT_EQ(value("ipv4", "arp_ignore"), "0");
        EXPECT_EQ(value("ipv6", "disable_ipv6"), "0");
        EXPECT_FALSE((*Rtnl::open()->find_link("uplink0"))->up);
    });
}

TEST_F(KernelGuard, AddressesOfTheKernelAreLeftAloneAndListed) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0"), 0);
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        const auto warnings = guard->take_warnings();
        ASSERT_EQ(warnings.size(), 1U);
        EXPECT_NE(warnings[0].find("192.168.50.1/24"), std::string::npos);
        EXPECT_EQ(*read_sysctl(interface_sysctl("ipv4", "uplink0", "arp_ignore")), "0");
        EXPECT_EQ(*read_sysctl(interface_sysctl("ipv6", "uplink0", "disable_ipv6")), "1");
    });
}

TEST_F(KernelGuard, TheUplinksOwnAddressesAreTakenOverAndGivenBackWithTheirRoutes) {
    const auto has = [&](const char* what) { return node_.shell(what); };
    const char* v4 = "ip -4 addr show uplink0 | grep -q '192.168.50.1/24'";
    const char* v6 = "ip -6 addr show uplink0 | grep -q 'fd50::1/64'";
    const char* route =
        "ip route show default | grep -q 'via 192.168.50.9 dev uplink0 .*metric 100'";
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip addr add fd50::1/64 dev uplink0 nodad && "
                              "ip route add default via 192.168.50.9 metric 100"),
                  0);
        {
            auto guard =
                guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket,
                                       {address("192.168.50.1/24"), address("fd50::1/64")});
            ASSERT_TRUE(guard.ok()) << guard.error().message;
            EXPECT_TRUE(guard->take_warnings().empty());
            const auto notes = guard->take_notes();
            ASSERT_EQ(notes.size(), 1U);
            EXPECT_NE(notes[0].find("192.168.50.1/24"), std::string::npos);
            EXPECT_FALSE(has(v4) || has(v6) || has(route));
            EXPECT_EQ(*read_sysctl(interface_sysctl("ipv4", "uplink0", "arp_ignore")), "8");
            EXPECT_EQ(*read_sysctl(interface_sysctl("ipv6", "uplink0", "disable_ipv6")), "1");
        }
        EXPECT_TRUE(has(v4));
        EXPECT_TRUE(has(v6));
        EXPECT_TRUE(has(route));
        EXPECT_EQ(*read_sysctl(interface_sysctl("ipv4", "uplink0", "arp_ignore")), "0");
    });
}

TEST_F(KernelGuard, WhatAKilledOneHasLeftIsPutBackByTheNextOrOnDemand) {
    const std::string memory = std::string(::testing::TempDir()) + "podlane-guard.json";
    const std::vector<InterfaceAddress> own{address("192.168.50.1/24")};
    const std::string arp_ignore = interface_sysctl("ipv4", "uplink0", "arp_ignore");
    const auto is_back = [&] {
        return node_.shell(
                   "ip addr show uplink0 | grep -q '192.168.50.1/24' && ip route show default | "
                   "grep -q 'via 192.168.50.9 dev uplink0 .*metric 100'") &&
               *read_sysctl(arp_ignore) == "0";
    };
    const auto guard_and_be_killed = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            auto guard =
                guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket, own, memory);
            if (!guard.ok()) ::_exit(1);
            ::raise(SIGKILL);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status) && !is_back();
    };
    node_.run([&] {
        ::unlink(memory.c_str());
        EXPECT_FALSE(give_back_kernel_interface("uplink0", memory)->has_value()) << "nothing there";
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip route add default via 192.168.50.9 metric 100"),
                  0);
        ASSERT_TRUE(guard_and_be_killed());
        {
            auto next =
                guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket, own, memory);
            ASSERT_TRUE(next.ok()) << next.error().message;
            EXPECT_EQ(next->take_notes().size(), 1U);
            EXPECT_FALSE(is_back());
        }
        EXPECT_TRUE(is_back());
        EXPECT_NE(::access(memory.c_str(), F_OK), 0) << "the file is of no use any more";

        ASSERT_TRUE(guard_and_be_killed());
        const auto given = give_back_kernel_interface("uplink0", memory);
        ASSERT_TRUE(given.ok() && given->has_value());
        EXPECT_EQ((*given)->done,
                  (std::vector<std::string>{"address 192.168.50.1/24",
                                            "route default via 192.168.50.9 metric 100"}));
        EXPECT_TRUE((*given)->failures.empty());
        EXPECT_TRUE(is_back());
        EXPECT_FALSE(give_back_kernel_interface("uplink0", memory)->has_value());

        ASSERT_TRUE(guard_and_be_killed());
        ASSERT_EQ(std::system("ip link add other type veth peer name far && ip link del uplink0 && "
                              "ip link set other name uplink0"),
                  0);
        EXPECT_FALSE(give_back_kernel_interface("uplink0", memory)->has_value())
            << "another interface";
    });
    ::unlink(memory.c_str());
}

TEST_F(KernelGuard, AnAddressThatComesOrGoesLaterIsHandledAtTheNextLook) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.7/24 dev uplink0"), 0);
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket,
                                            {address("192.168.50.1/24")});
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        EXPECT_EQ(guard->take_warnings().size(), 1U) << "another address of the kernel's";
        guard->look();
        EXPECT_TRUE(guard->take_warnings().empty()) << "said once";
        const std::string arp_ignore = interface_sysctl("ipv4", "uplink0", "arp_ignore");
        EXPECT_EQ(*read_sysctl(arp_ignore), "0");
        ASSERT_EQ(std::system("ip addr del 192.168.50.7/24 dev uplink0"), 0);
        guard->look();
        EXPECT_EQ(*read_sysctl(arp_ignore), "8") << "the operator has removed it as told";
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0"), 0);
        guard->look();
        EXPECT_EQ(guard->take_notes().size(), 1U);
        EXPECT_TRUE(
            Rtnl::open()->addresses(static_cast<int>(::if_nametoindex("uplink0")))->empty());
    });
}

TEST_F(KernelGuard, AKernelThatCannotBeAskedIsReportedOnce) {
    node_.run([] {
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket);
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        rlimit files{};
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
        const rlimit none{0, files.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        guard->look();
        guard->look();
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
        const auto warnings = guard->take_warnings();
        ASSERT_EQ(warnings.size(), 1U);
        EXPECT_TRUE(warnings[0].starts_with("interface uplink0: its addresses are not watched: "))
            << warnings[0];
        guard->look();
        EXPECT_TRUE(guard->take_warnings().empty());
    });
}

TEST_F(KernelGuard, AnUnknownInterfaceIsNamed) {
    const auto guard = guard_kernel_interface("nothing0", KernelInterfaceUse::kPacketSocket);
    ASSERT_FALSE(guard.ok());
    EXPECT_EQ(guard.error().message, "interface nothing0: there is no such network interface");
}

}  // namespace
}  // namespace podlane::control
