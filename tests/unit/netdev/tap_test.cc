#include "control/netdev/tap.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "control/netdev/rtnl.h"
#include "lib/border/port_caps.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

/// struct virtio_net_hdr_v1 of linux/virtio_net.h, which C++ cannot include (a member is `class`).
struct TapHeader {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
};
static_assert(sizeof(TapHeader) == kTapHeaderBytes);
constexpr uint8_t kNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM

constexpr MacAddress kPodMac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kOurMac{{2, 0, 0, 0, 0, 2}};

PodTapRequest pod_request(const ScratchNamespace& pod) {
    return {.netns_path = pod.path(),
            .ifname = "eth0",
            .mac = kPodMac,
            .mtu = 1450,
            .queues = 1,
            .addresses = {address("10.244.1.5/24"), address("fd00:1::5/64")},
            .gateways = {ip("10.244.1.1"), ip("fd00:1::1")},
            .offloads = {}};
}

struct Frame {
    TapHeader header{};
    std::vector<uint8_t> bytes;
    [[nodiscard]] unsigned ether_type() const { return bytes[12] * 256U + bytes[13]; }
};

/// Reads frames until `wanted` says yes.
template <class Predicate>
std::optional<Frame> read_frame(int fd, Predicate wanted) {
    std::array<uint8_t, 70000> buffer{};
    while ((wait_for(fd, POLLIN) & POLLIN) != 0) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < static_cast<ssize_t>(kTapHeaderBytes)) return std::nullopt;
        Frame frame;
        std::memcpy(&frame.header, buffer.data(), kTapHeaderBytes);
        frame.bytes.assign(buffer.begin() + kTapHeaderBytes, buffer.begin() + got);
        if (wanted(frame)) return frame;
    }
    return std::nullopt;
}

bool is_arp(const Frame& frame) {
    return frame.ether_type() == 0x0806;
}

/// An ARP request for 10.244.1.5 from 10.244.1.1, RFC 826, behind an empty header.
std::vector<uint8_t> arp_request() {
    constexpr auto kFrame = std::to_array<uint8_t>(
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0,   0, 0, 0, 2, 8, 6,  // Ethernet
         0,    1,    8,    0,    6,    4,    0,  1,                      // request
         2,    0,    0,    0,    0,    2,    10, 244, 1, 1, 0, 0, 0, 0, 0, 0, 10, 244, 1, 5});
    std::vector<uint8_t> out(kTapHeaderBytes + kFrame.size());
    std::copy(kFrame.begin(), kFrame.end(), out.begin() + kTapHeaderBytes);
    return out;
}

using Tap = NetdevTest;

TEST_F(Tap, APodGetsItsAddressesRoutesMtuAndLoopback) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    pod.run([&] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        const auto link = *rtnl->find_link("eth0");
        ASSERT_TRUE(link.has_value());
        EXPECT_EQ(link->ifindex, tap->ifindex());
        EXPECT_EQ(link->mac, kPodMac);
        EXPECT_EQ(link->mtu, 1450U);
        EXPECT_TRUE(link->up);
        EXPECT_TRUE((*rtnl->find_link("lo"))->up);

        const auto addresses = *rtnl->addresses(link->ifindex);
        EXPECT_NE(std::find(addresses.begin(), addresses.end(), address("10.244.1.5/24")),
                  addresses.end());
        EXPECT_NE(std::find(addresses.begin(), addresses.end(), address("fd00:1::5/64")),
                  addresses.end());

        std::vector<IpAddress> gateways;
        const auto routes = *rtnl->routes(link->ifindex);
        for (const auto& route : routes) {
            if (route.destination.length == 0) gateways.push_back(route.via.value());
        }
        EXPECT_EQ(gateways, (std::vector{ip("10.244.1.1"), ip("fd00:1::1")}));
    });
    // And nothing of it stays where we are.
    auto rtnl = Rtnl::open();
    ASSERT_TRUE(rtnl.ok());
    EXPECT_FALSE((*rtnl->find_link(tap->ifname())).has_value() &&
                 (*rtnl->find_link(tap->ifname()))->mac == kPodMac);
}

TEST_F(Tap, AnIpv6AddressIsUsableAtOnce) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    pod.run([] {
        const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 own{};
        own.sin6_family = AF_INET6;
        ::inet_pton(AF_INET6, "fd00:1::5", &own.sin6_addr);
        // A tentative address cannot be bound.
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
    });
}

TEST_F(Tap, RequestsForANeighbourAreRepeatedSoonAndForAsLong) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    for (const std::string family : {"ipv4", "ipv6"}) {
        for (const std::string setting :
             {"retrans_time_ms = 200", "mcast_solicit = 15", "ucast_solicit = 15"}) {
            const size_t end = setting.find(' ');
            EXPECT_TRUE(
                pod.shell(fmt::format("test $(cat /proc/sys/net/{}/neigh/eth0/{}) -eq {}", family,
                                      setting.substr(0, end), setting.substr(end + 3))))
                << family << ' ' << setting;
        }
    }
}

TEST_F(Tap, AGatewayOutsideTheSubnetIsReachedOnLink) {
    const ScratchNamespace pod;
    PodTapRequest request = pod_request(pod);
    request.addresses = {address("10.244.1.5/32"), address("fd00:1::5/128")};
    const auto tap = create_pod_tap(request);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    pod.run([&] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        unsigned onlink = 0;
        const auto routes = *rtnl->routes(tap->ifindex());
        for (const auto& route : routes) {
            onlink += route.destination.length == 0 && route.onlink ? 1 : 0;
        }
        EXPECT_EQ(onlink, 2U);
    });
}

TEST_F(Tap, WithoutIpv6AddressesNothingIsSentUnasked) {
    const ScratchNamespace pod;
    PodTapRequest request = pod_request(pod);
    request.addresses = {address("10.244.1.5/24")};
    request.gateways = {ip("10.244.1.1")};
    auto tap = create_pod_tap(request);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    pod.run([&] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        EXPECT_EQ(rtnl->addresses(tap->ifindex())->size(), 1U);  // no link-local one
    });
    std::array<uint8_t, 2048> buffer{};
    EXPECT_LT(::read(tap->queue_fds()[0], buffer.data(), buffer.size()), 0);
}

TEST_F(Tap, TheKernelAnswersArpThroughAQueue) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    const auto request = arp_request();
    ASSERT_EQ(::write(tap->queue_fds()[0], request.data(), request.size()),
              static_cast<ssize_t>(request.size()));
    const auto reply = read_frame(tap->queue_fds()[0], is_arp);
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->bytes[21], 2);  // operation: reply
    EXPECT_TRUE(std::equal(kOurMac.bytes.begin(), kOurMac.bytes.end(), reply->bytes.begin()));
    EXPECT_TRUE(std::equal(kPodMac.bytes.begin(), kPodMac.bytes.end(), reply->bytes.begin() + 6));
}

/// Sends one datagram of `bytes` or opens a connection from the pod to 10.244.1.9.
void send_from(const ScratchNamespace& pod, int type, size_t bytes) {
    pod.run([&] {
        ASSERT_EQ(std::system("ip neigh replace 10.244.1.9 lladdr 02:00:00:00:00:02 dev eth0"),
                  0);  // NOLINT(concurrency-mt-unsafe)
        const UniqueFd socket(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_in peer{};
        peer.sin_family = AF_INET;
        peer.sin_port = htons(9);
        ::inet_pton(AF_INET, "10.244.1.9", &peer.sin_addr);
        ::connect(socket.get(), reinterpret_cast<sockaddr*>(&peer), sizeof(peer));
        if (type == SOCK_DGRAM) {
            const std::vector<uint8_t> data(bytes, 0x5a);
            EXPECT_EQ(::send(socket.get(), data.data(), data.size(), 0),
                      static_cast<ssize_t>(bytes));
        }
    });
}

TEST_F(Tap, PartialChecksumsAreMarkedInTheHeader) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
        send_from(pod, type, 100);
        const auto frame = read_frame(tap->queue_fds()[0],
                                      [](const Frame& f) { return f.ether_type() == 0x0800; });
        ASSERT_TRUE(frame.has_value());
        EXPECT_EQ(frame->header.flags & kNeedsChecksum, kNeedsChecksum);
        EXPECT_EQ(frame->header.csum_start, 14 + 20);  // Ethernet, IPv4 without options
        EXPECT_EQ(frame->header.csum_offset, type == SOCK_DGRAM ? 6 : 16);
    }
}

TEST_F(Tap, WithoutTheOffloadChecksumsAreComplete) {
    const ScratchNamespace pod;
    PodTapRequest request = pod_request(pod);
    request.offloads.checksum = false;
    const auto tap = create_pod_tap(request);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    send_from(pod, SOCK_DGRAM, 100);
    const auto frame =
        read_frame(tap->queue_fds()[0], [](const Frame& f) { return f.ether_type() == 0x0800; });
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->header.flags & kNeedsChecksum, 0);
}

TEST_F(Tap, EachQueueIsUsable) {
    const ScratchNamespace pod;
    PodTapRequest request = pod_request(pod);
    request.queues = 3;
    const auto tap = create_pod_tap(request);
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    ASSERT_EQ(tap->queue_fds().size(), 3U);
    const auto frame = arp_request();
    for (const int fd : tap->queue_fds()) {
        EXPECT_EQ(::write(fd, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
    }
}

TEST_F(Tap, AnInterfaceThatExistsIsAnErrorThatNamesIt) {
    const ScratchNamespace pod;
    ASSERT_TRUE(pod.shell("ip link add eth0 type veth peer name other"));
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_FALSE(tap.ok());
    EXPECT_EQ(tap.error().message,
              "interface eth0 in " + pod.path() + ": the interface exists already");
}

TEST_F(Tap, AFailureLeavesNothingBehind) {
    const ScratchNamespace pod;
    TapRequest request{.netns_path = pod.path(),
                       .ifname = "eth0",
                       .mac = kPodMac,
                       .addresses = {address("10.244.1.5/24")},
                       .gateways = {},
                       .routes = {{.destination = prefix("10.96.0.0/12"),
                                   .via = std::nullopt,
                                   .preferred_source = ip("192.0.2.1")}},
                       .neighbors = {},
                       .offloads = {}};
    const auto tap = create_tap(request);
    ASSERT_FALSE(tap.ok());
    EXPECT_NE(tap.error().message.find("add route 10.96.0.0/12"), std::string::npos)
        << tap.error().message;
    EXPECT_TRUE(pod.shell("test $(ip -o link | wc -l) -eq 1"));
}

TEST_F(Tap, ImpossibleRequestsAreRefused) {
    const ScratchNamespace pod;
    const auto message = [&](auto change) {
        PodTapRequest request = pod_request(pod);
        change(request);
        const auto tap = create_pod_tap(request);
        return tap.ok() ? std::string() : tap.error().message;
    };
    EXPECT_NE(message([](auto& r) { r.ifname = "sixteen-letters-"; }), "");
    EXPECT_NE(message([](auto& r) { r.ifname = "a/b"; }), "");
    EXPECT_NE(message([](auto& r) { r.queues = 17; }), "");
    EXPECT_NE(message([](auto& r) { r.queues = 0; }), "");
    EXPECT_NE(message([](auto& r) { r.mtu = 1000; }), "");  // it has IPv6
    EXPECT_NE(message([](auto& r) { r.mac = kBroadcastMac; }), "");
    EXPECT_NE(message([](auto& r) { r.netns_path = "/run/netns/nothing"; }).find("nothing"),
              std::string::npos);
}

TEST_F(Tap, ItGoesWhenItsQueuesAreClosed) {
    const ScratchNamespace pod;
    {
        const auto tap = create_pod_tap(pod_request(pod));
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        EXPECT_TRUE(pod.shell("ip link show eth0 > /dev/null"));
    }
    EXPECT_FALSE(pod.shell("ip link show eth0 > /dev/null 2>&1"));
}

TEST_F(Tap, RemoveDeletesItAlsoWhenTheQueuesAreElsewhere) {
    const ScratchNamespace pod;
    auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    const UniqueFd queue(tap->release_queue_fds()[0]);
    tap->remove();
    EXPECT_FALSE(pod.shell("ip link show eth0 > /dev/null 2>&1"));
    EXPECT_NE(wait_for(queue.get(), POLLIN) & POLLERR, 0);
    std::array<uint8_t, 64> buffer{};
    EXPECT_LT(::read(queue.get(), buffer.data(), buffer.size()), 0);
    EXPECT_EQ(errno, EBADFD);
}

TEST_F(Tap, RemoveLeavesAnotherInterfaceOfThatNameAlone) {
    const ScratchNamespace pod;
    auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    ::close(tap->release_queue_fds()[0]);
    ASSERT_TRUE(pod.shell("ip link add eth0 type veth peer name other"));
    tap->remove();
    EXPECT_TRUE(pod.shell("ip link show eth0 > /dev/null"));
}

TEST_F(Tap, ADeadPodsNamespaceGoesWhenItsQueuesAreClosed) {
    const ScratchNamespace other;
    {
        ScratchNamespace pod;
        const auto tap = create_pod_tap(pod_request(pod));
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        const UniqueFd target(::open(other.path().c_str(), O_RDONLY | O_CLOEXEC));
        pod.run([&] {
            ASSERT_EQ(std::system("ip link add end type veth peer name other"), 0);  // NOLINT
            auto rtnl = Rtnl::open();
            ASSERT_TRUE(rtnl.ok());
            ASSERT_TRUE(rtnl->change_link("other", {.netns_fd = target.get()}).ok());
        });
        pod.drop();
    }
    // The kernel takes the namespace down in its own time, and with it the other end.
    EXPECT_TRUE(
        other.shell("for i in $(seq 500); do ip link show other > /dev/null 2>&1 || exit 0; "
                    "sleep 0.01; done; exit 1"));
}

TEST_F(Tap, FramesWaitInNoQueueOfTheKernels) {
    const ScratchNamespace pod;
    const auto tap = create_pod_tap(pod_request(pod));
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    EXPECT_TRUE(
        pod.shell("test \"$(tc qdisc show dev eth0 | wc -l)\" = 1 && "
                  "tc qdisc show dev eth0 | grep -q noqueue"));
}

HostTapRequest host_request() {
    return {.ifname = "podlane0",
            .mac = kPodMac,
            .mtu = 1500,
            .queues = 1,
            .addresses = {address("192.168.50.1/24"), address("fd50::1/64")},
            .gateways = {ip("192.168.50.254")},
            .cluster_cidrs = {prefix("10.244.0.0/16"), prefix("10.96.0.0/12"), prefix("fd00::/48")},
            .routers = {{ip("10.244.1.1"), kOurMac}},
            .offloads = {}};
}

TEST_F(Tap, TheHostsInterfaceRoutesTheClusterAndTheRest) {
    const ScratchNamespace node;
    node.run([] {
        const auto tap = create_host_tap(host_request());
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        const auto routes = *rtnl->routes(tap->ifindex());
        const auto find = [&](const char* destination) {
            return *std::find_if(routes.begin(), routes.end(), [&](const auto& route) {
                return route.destination == prefix(destination);
            });
        };
        EXPECT_EQ(find("0.0.0.0/0").via, ip("192.168.50.254"));
        for (const char* cidr : {"10.244.0.0/16", "10.96.0.0/12"}) {
            EXPECT_EQ(find(cidr).via, ip("10.244.1.1"));
            EXPECT_EQ(find(cidr).preferred_source, ip("192.168.50.1"));
        }
        EXPECT_FALSE(find("fd00::/48").via.has_value());  // no router of that family
        EXPECT_EQ(find("fd00::/48").preferred_source, ip("fd50::1"));
    });
}

TEST_F(Tap, AServersInterfaceRoutesAllToTheDataplaneAndAsksForNobody) {
    const ScratchNamespace own;
    const auto tap = create_server_tap(own.path(), {.ifname = "dns",
                                                    .mac = kPodMac,
                                                    .mtu = 1450,
                                                    .queues = 2,
                                                    .addresses = {ip("10.96.0.10"), ip("fd96::a")},
                                                    .router = kOurMac,
                                                    .offloads = {}});
    ASSERT_TRUE(tap.ok()) << tap.error().message;
    EXPECT_EQ(tap->queue_fds().size(), 2U);
    EXPECT_TRUE(own.shell("ip -o addr show dev dns | grep -q 10.96.0.10/32"));
    EXPECT_TRUE(own.shell("ip -o addr show dev dns | grep -q fd96::a/128"));
    for (const char* command :
         {"ip route get 203.0.113.1", "ip route get 10.244.1.5", "ip -6 route get 2001:db8::1"}) {
        EXPECT_TRUE(own.shell(std::string(command) + " | grep -q 'via .* dev dns'")) << command;
    }
    const std::string router = to_string(kOurMac);
    EXPECT_TRUE(own.shell("ip neigh show | grep -q '169.254.1.1 .*" + router + " PERMANENT'"));
    EXPECT_TRUE(own.shell("ip neigh show | grep -q 'fe80::1 .*" + router + " .*PERMANENT'"));
}

TEST_F(Tap, AnotherDefaultRouteStaysInPlace) {
    const ScratchNamespace node;
    ASSERT_TRUE(
        node.shell("ip link add mgmt type veth peer name far && ip link set mgmt up && "
                   "ip link set far up && ip route add default dev mgmt"));
    node.run([] {
        const auto tap = create_host_tap(host_request());
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        const auto theirs = *rtnl->routes((*rtnl->find_link("mgmt"))->ifindex);
        EXPECT_TRUE(std::any_of(theirs.begin(), theirs.end(), [](const auto& route) {
            return route.destination == prefix("0.0.0.0/0") && route.metric == 0;
        }));
        const auto ours = *rtnl->routes(tap->ifindex());
        EXPECT_TRUE(std::any_of(ours.begin(), ours.end(), [](const auto& route) {
            return route.destination == prefix("0.0.0.0/0") && route.metric > 0;
        }));
    });
}

TEST_F(Tap, APodMayHaveAsManyInterfacesAsItsNetworksGiveIt) {
    const ScratchNamespace pod;
    std::vector<TapDevice> taps;
    for (const char* name : {"eth0", "net1", "net2", "net3"}) {
        PodTapRequest request = pod_request(pod);
        const auto number = static_cast<uint8_t>(taps.size());
        request.ifname = name;
        request.mac.bytes[5] = number;
        request.mac.bytes[4] = 9;
        request.addresses = {address(fmt::format("10.244.1.{}/24", 5 + number).c_str()),
                             address(fmt::format("fd00:1::{}/64", 5 + number).c_str())};
        auto tap = create_pod_tap(request);
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        taps.push_back(std::move(tap).value());
    }
    pod.run([&] {
        auto rtnl = Rtnl::open();
        ASSERT_TRUE(rtnl.ok());
        for (const TapDevice& tap : taps) {
            const auto routes = *rtnl->routes(tap.ifindex());
            EXPECT_EQ(std::ranges::count_if(
                          routes, [](const auto& route) { return route.destination.length == 0; }),
                      2)
                << tap.ifname();
        }
    });
    EXPECT_TRUE(pod.shell("ip route get 192.0.2.1 | grep -q 'dev eth0'")) << "the first leads out";
    EXPECT_TRUE(pod.shell("ip route get 2001:db8::1 | grep -q 'dev eth0'"));
}

TEST_F(Tap, ManyPodsHaveOneEach) {
    std::vector<ScratchNamespace> pods(20);
    std::vector<TapDevice> taps;
    for (const auto& pod : pods) {
        auto tap = create_pod_tap(pod_request(pod));
        ASSERT_TRUE(tap.ok()) << tap.error().message;
        taps.push_back(std::move(*tap));
    }
    for (const auto& pod : pods) EXPECT_TRUE(pod.shell("ip link show eth0 > /dev/null"));
}

}  // namespace
}  // namespace podlane::control
