// ICMP errors through every translation, in both directions: the receiver of an error finds in it
// the packet that it sent, byte for byte, however little of it is quoted.
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

/// What a packet, or the error about it, has in addition to plain headers.
struct Shape {
    const char* name;
    bool inner_options = false;  ///< IPv4 options or an IPv6 extension header, in the quoted packet
    bool outer_options = false;  ///< the same in the error
    bool first_fragment = false;
    bool no_checksum = false;  ///< UDP without one, as IPv4 allows
    size_t quoted_l4 = 1000;   ///< bytes quoted after the IP header
};
constexpr Shape kShapes[] = {
    {.name = "plain"},
    {.name = "eight bytes quoted", .quoted_l4 = 8},
    {.name = "twenty bytes quoted", .quoted_l4 = 20},
    {.name = "options in the quoted packet", .inner_options = true},
    {.name = "options in the error", .outer_options = true},
    {.name = "options in both, eight bytes",
     .inner_options = true,
     .outer_options = true,
     .quoted_l4 = 8},
    {.name = "a first fragment", .first_fragment = true},
    {.name = "a first fragment with options, eight bytes",
     .inner_options = true,
     .first_fragment = true,
     .quoted_l4 = 8},
    {.name = "UDP without checksum", .no_checksum = true},
};

template <class F>
class IcmpNatTest : public testing::Test {
  protected:
    using Here = World<F>;
    static constexpr bool kIsV4 = std::same_as<F, V4>;

    /// A path from a client to a server, with the translation between them.
    struct Way {
        const char* name;
        Rig::Who client, server;
        MacAddress client_mac, client_gateway;
        MacAddress server_mac, server_gateway;
        const char* src;
        const char* dst;
        uint16_t port;         ///< 0: a ping
        const char* seen_src;  ///< as the server sees it
        const char* seen_dst;
        const char* on_the_way;  ///< a router that may report an error; null: none
    };
    static inline const std::vector<Way> kWays = {
        {"ClusterIP", Rig::kPodA, Rig::kPodB, Names::kPodAMac, Names::kGatewayMac, Names::kPodBMac,
         Names::kPodAMac, Here::kPodA, Here::kService, 80, Here::kPodA, Here::kPodB, nullptr},
        {"NodePort", Rig::kUplink, Rig::kPodB, Names::kPeerMac, Names::kUplinkMac, Names::kPodBMac,
         Names::kGatewayMac, Here::kPeer, Here::kNode, 30080, Here::kGateway, Here::kPodB, nullptr},
        {"masqueraded", Rig::kPodA, Rig::kUplink, Names::kPodAMac, Names::kGatewayMac,
         Names::kPeerMac, Names::kUplinkMac, Here::kPodA, Here::kOutside, 53, Here::kNode,
         Here::kOutside, Here::kRouter},
        {"masqueraded ping", Rig::kPodA, Rig::kUplink, Names::kPodAMac, Names::kGatewayMac,
         Names::kPeerMac, Names::kUplinkMac, Here::kPodA, Here::kOutside, 0, Here::kNode,
         Here::kOutside, Here::kRouter},
        {"hairpin", Rig::kPodB, Rig::kPodB, Names::kPodBMac, Names::kGatewayMac, Names::kPodBMac,
         Names::kGatewayMac, Here::kPodB, Here::kService, 80, Here::kGateway, Here::kPodB, nullptr},
        {"routed", Rig::kPodA, Rig::kUplink, Names::kPodAMac, Names::kGatewayMac, Names::kPeerMac,
         Names::kUplinkMac, Here::kPodA, Here::kPeer, 53, Here::kPodA, Here::kPeer,
         Here::kStranger},
    };

    void SetUp() override {
        // The default route's router is resolved, and is the peer.
        rig.change([this](Snapshot& next) {
            const auto to = [this](const char* address, unsigned bits, Rig::Who who, uint32_t id) {
                return std::pair(
                    Prefix<F>{ip<F>(address), static_cast<uint8_t>(bits)},
                    Route<F>{RouteKind::kAdjacency, rig.port(who), AdjacencyId{id}, {}, ""});
            };
            const std::vector<std::pair<Prefix<F>, Route<F>>> routes{
                to(Here::kPodA, F::kAddressBits, Rig::kPodA, kToPodA),
                to(Here::kPodB, F::kAddressBits, Rig::kPodB, kToPodB),
                {Prefix<F>{{}, 0},
                 Route<F>{
                     RouteKind::kAdjacency, rig.port(Rig::kUplink), AdjacencyId{kToPeer}, {}, ""}}};
            next.template family<F>().routes = std::make_shared<Lpm<F, Route<F>>>(routes);
        });
    }

    static test::Frame& add_options(test::Frame& frame) {
        return kIsV4 ? frame.options(8) : frame.extension(kProtocolDestinationOptions, 16);
    }
    /// A packet between the two ends of a way; `protocol` is used if the way has ports.
    static Frame packet(const MacAddress& src_mac, const MacAddress& dst_mac, const FlowKey<F>& key,
                        const Shape& shape, bool is_reply) {
        auto frame = test::frame().eth(src_mac, dst_mac).ip(IpAddress(key.src), IpAddress(key.dst));
        if (shape.inner_options) add_options(frame);
        if (shape.first_fragment)
            frame.ip_id(is_reply ? key.dst_port.host() : key.src_port.host()).frag(0, true);
        if (key.protocol == kProtocolTcp) {
            frame.tcp(key.src_port.host(), key.dst_port.host(), kTcpAck);
        } else if (key.protocol == kProtocolUdp) {
            frame.udp(key.src_port.host(), key.dst_port.host());
            if (shape.no_checksum && kIsV4) frame.no_udp_checksum();
        } else if (is_reply) {
            frame.icmp_echo_reply(key.dst_port.host(), 3);
        } else {
            frame.icmp_echo(key.src_port.host(), 3);
        }
        // The payload of all but a packet's last fragment is a multiple of eight bytes.
        return frame.payload(key.protocol == kProtocolTcp ? 68 : 64).build();
    }

    /// The IP packet in a frame, cut off `l4` bytes after its IP headers.
    static Frame quotation(const Frame& frame, size_t l4) {
        Headers headers;
        EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
        const size_t end = std::min<size_t>(headers.l3_end(), headers.l4_offset + l4);
        return {frame.begin() + headers.l3_offset, frame.begin() + static_cast<ptrdiff_t>(end)};
    }
    /// "Packet too big" about `frame`, sent to its sender by `from`.
    static Frame error_about(const Frame& frame, const MacAddress& src_mac,
                             const MacAddress& dst_mac, const char* from, const Shape& shape) {
        auto error = test::frame()
                         .eth(src_mac, dst_mac)
                         .ip(IpAddress(ip<F>(from)), IpAddress(look<F>(frame).key.src));
        if (shape.outer_options) add_options(error);
        return error
            .icmp(kIsV4 ? kIcmpUnreachable : kIcmpv6PacketTooBig,
                  kIsV4 ? kIcmpFragmentationNeeded : 0, 1400, quotation(frame, shape.quoted_l4))
            .pad_to(60)
            .build();
    }

    /// Checks that `error` tells `whom` of its packet `sent`, which arrived as `delivered`.
    void expect_told(const Frame& error, const Frame& sent, const Frame& delivered,
                     const char* from, const char* whom, const Shape& shape) {
        if (error.empty()) return;
        const auto outer = look<F>(error);
        EXPECT_TRUE(outer.headers.has(Headers::kIcmpError));
        EXPECT_TRUE(outer.checksums_ok);
        EXPECT_EQ(to_string(IpAddress(outer.key.src)), from);
        EXPECT_EQ(to_string(IpAddress(outer.key.dst)), whom);
        const auto icmp = load<IcmpHeader>(error.data() + outer.headers.l4_offset);
        EXPECT_EQ(icmp.sequence, be16(1400)) << "the MTU";
        // As it was sent, apart from the hops that it had passed.
        Frame wanted = quotation(sent, shape.quoted_l4);
        wanted[kIsV4 ? 8 : 7] = look<F>(delivered).ttl;
        if constexpr (kIsV4) {
            const size_t header_bytes = (wanted[0] & 15u) * 4u;
            store(wanted.data() + offsetof(Ipv4Header, checksum), be16(0));
            store(wanted.data() + offsetof(Ipv4Header, checksum),
                  ipv4_header_checksum({wanted.data(), header_bytes}));
        }
        const Frame quoted(error.begin() + outer.headers.payload_offset,
                           error.begin() + static_cast<ptrdiff_t>(outer.headers.l3_end()));
        EXPECT_EQ(quoted, wanted);
    }

    /// A request on `way` and the errors about it; its reply and the error about that.
    void run(const Way& way, uint8_t protocol, const Shape& shape, uint16_t source_port) {
        const auto asked = key_of<F>(way.src, source_port, way.dst, way.port, protocol);
        const Frame request = packet(way.client_mac, way.client_gateway, asked, shape, false);
        rig.send(way.client, request);
        const Frame delivered = rig.take_one(way.server);
        if (delivered.empty()) return;
        const auto seen = look<F>(delivered).key;
        EXPECT_EQ(to_string(IpAddress(seen.src)), way.seen_src);
        EXPECT_EQ(to_string(IpAddress(seen.dst)), way.seen_dst);
        for (const char* from : {way.seen_dst, way.on_the_way}) {
            if (from == nullptr) continue;
            rig.send(way.server,
                     error_about(delivered, way.server_mac, way.server_gateway, from, shape));
            expect_told(rig.take_one(way.client), request, delivered,
                        from == way.seen_dst ? way.dst : from, way.src, shape);
        }
        const Frame reply =
            packet(way.server_mac, way.server_gateway, seen.reversed(), shape, true);
        rig.send(way.server, reply);
        const Frame answered = rig.take_one(way.client);
        if (answered.empty()) return;
        EXPECT_EQ(text(look<F>(answered).key), text(asked.reversed()));
        rig.send(way.client,
                 error_about(answered, way.client_mac, way.client_gateway, way.src, shape));
        expect_told(rig.take_one(way.server), reply, answered, way.seen_src, way.seen_dst, shape);
    }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(IcmpNatTest, Families);

TYPED_TEST(IcmpNatTest, WhoIsToldFindsThePacketThatItSent) {
    using F = TypeParam;
    uint16_t source_port = 4000;
    for (const auto& way : this->kWays) {
        const auto protocols = way.port != 0 ? std::vector<uint8_t>{kProtocolUdp, kProtocolTcp}
                                             : std::vector<uint8_t>{F::kIcmpProtocol};
        for (const uint8_t protocol : protocols) {
            for (const Shape& shape : kShapes) {
                SCOPED_TRACE(std::string(way.name) + ", " + shape.name + ", protocol " +
                             std::to_string(protocol));
                this->run(way, protocol, shape, ++source_port);
            }
        }
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(IcmpNatTest, ALaterFragmentQuotedHasNoPortsAndTheErrorPassesAsItIs) {
    using F = TypeParam;
    using W = World<F>;
    const Frame later = test::frame()
                            .eth(Names::kPodAMac, Names::kPodBMac)
                            .ip(W::kPodA, W::kPodB)
                            .ip_id(77)
                            .frag(1400, false)
                            .payload(64)
                            .protocol(kProtocolUdp)
                            .build();
    const Frame error =
        this->error_about(later, Names::kPodBMac, Names::kGatewayMac, W::kPodB, Shape{"plain"});
    this->rig.send(Rig::kPodB, error);
    const auto told = this->rig.take_one(Rig::kPodA);
    const auto outer = look<F>(told);
    EXPECT_TRUE(outer.checksums_ok);
    EXPECT_EQ(outer.key.src, ip<F>(W::kPodB));
    EXPECT_EQ(outer.key.dst, ip<F>(W::kPodA));
    EXPECT_TRUE(std::equal(error.begin() + outer.headers.payload_offset, error.end(),
                           told.begin() + outer.headers.payload_offset));
}

TYPED_TEST(IcmpNatTest, APortInThePaddingOfAShortFrameIsNoPort) {
    using F = TypeParam;
    using W = World<F>;
    const Frame request =
        udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000, W::kService, 80);
    this->rig.send(Rig::kPodA, request);
    const Frame delivered = this->rig.take_one(Rig::kPodB);
    Frame error = this->error_about(delivered, Names::kPodBMac, Names::kPodAMac, W::kPodB,
                                    Shape{.name = "", .quoted_l4 = 2});
    error.resize(std::max<size_t>(error.size(), 100));
    this->rig.send(Rig::kPodB, error);
    EXPECT_EQ(this->rig.drops(Drop::kIcmpErrorBad), 1u);
}

}  // namespace
}  // namespace podlane::dataplane
