#include "tests/unit/dataplane/frames_of.h"

#include <memory>

#include "lib/model/port_sources.h"

namespace podlane::dataplane {

template <Family F>
Frame udp(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, uint16_t src_port,
          const char* dst, uint16_t dst_port, size_t payload, uint8_t ttl) {
    return test::frame()
        .eth(src_mac, dst_mac)
        .ip(src, dst)
        .ttl(ttl)
        .udp(src_port, dst_port)
        .payload(payload)
        .build();
}

template <Family F>
Frame tcp(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, uint16_t src_port,
          const char* dst, uint16_t dst_port, uint8_t flags, size_t payload) {
    return test::frame()
        .eth(src_mac, dst_mac)
        .ip(src, dst)
        .tcp(src_port, dst_port, flags)
        .payload(payload)
        .build();
}

template <Family F>
Frame ping(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, const char* dst,
           uint16_t id, size_t payload) {
    return test::frame()
        .eth(src_mac, dst_mac)
        .ip(src, dst)
        .icmp_echo(id, 1)
        .payload(payload)
        .build();
}

template <Family F>
Frame icmp_error_about(const Frame& about, const MacAddress& src_mac, const MacAddress& dst_mac,
                       const char* from) {
    Headers headers;
    EXPECT_EQ(parse_frame(about, static_cast<uint32_t>(about.size()), headers), Drop::kNone);
    const auto quoted = std::span(about).subspan(headers.l3_offset);
    const auto sender = IpAddress(src_address<F>(about.data(), headers));
    constexpr bool kIsV4 = std::same_as<F, V4>;
    return test::frame()
        .eth(src_mac, dst_mac)
        .ip(IpAddress(ip<F>(from)), sender)
        .icmp(kIsV4 ? kIcmpUnreachable : kIcmpv6Unreachable,
              kIsV4 ? kIcmpPortUnreachable : kIcmpv6PortUnreachable, 0, quoted)
        .build();
}

#define PODLANE_INSTANTIATE(F)                                                             \
    template Frame udp<F>(const MacAddress&, const MacAddress&, const char*, uint16_t,     \
                          const char*, uint16_t, size_t, uint8_t);                         \
    template Frame tcp<F>(const MacAddress&, const MacAddress&, const char*, uint16_t,     \
                          const char*, uint16_t, uint8_t, size_t);                         \
    template Frame ping<F>(const MacAddress&, const MacAddress&, const char*, const char*, \
                           uint16_t, size_t);                                              \
    template Frame icmp_error_about<F>(const Frame&, const MacAddress&, const MacAddress&, \
                                       const char*);
PODLANE_INSTANTIATE(V4)
PODLANE_INSTANTIATE(V6)
#undef PODLANE_INSTANTIATE

void guard_pods(Rig& rig) {
    rig.change([&](Snapshot& next) {
        auto views = std::make_shared<PortViews>(*next.ports);
        const auto sources = [](const MacAddress& mac, const char* v4, const char* v6) {
            auto out = std::make_shared<PortSources>();
            out->mac = mac;
            out->v4.add({ip<V4>(v4), 32});
            out->v6.add({ip<V6>(v6), 128});
            out->v6.add({link_local_of(mac), 128});
            return out;
        };
        (*views)[index_of(rig.port(Rig::kPodA))].sources =
            sources(Names::kPodAMac, World<V4>::kPodA, World<V6>::kPodA);
        (*views)[index_of(rig.port(Rig::kPodB))].sources =
            sources(Names::kPodBMac, World<V4>::kPodB, World<V6>::kPodB);
        next.ports = views;
    });
}

}  // namespace podlane::dataplane
