// A node's snapshot made by hand, for each family, for tests of decisions.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/decide/decide.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::test {

/// The same places in both families.
template <Family F>
struct Names;
template <>
struct Names<V4> {
    static constexpr const char *kPod = "10.244.1.10", *kOtherPod = "10.244.1.11",
                                *kRemotePod = "10.244.2.10", *kGateway = "10.244.1.1",
                                *kNode = "192.168.50.1", *kNeighbour = "192.168.50.77",
                                *kDefaultGateway = "192.168.50.254", *kOutside = "203.0.113.9",
                                *kOtherOutside = "198.51.100.9", *kClusterIp = "10.96.0.10",
                                *kUnallocated = "10.96.0.99", *kVip = "192.0.2.80",
                                *kNoPod = "10.244.1.200", *kPodCidr = "10.244.1.0/24",
                                *kRemoteCidr = "10.244.2.0/24", *kPods = "10.244.0.0/16",
                                *kServices = "10.96.0.0/12", *kLink = "192.168.50.0/24",
                                *kAny = "0.0.0.0/0", *kOutsideRange = "203.0.113.0/24",
                                *kMulticast = "224.0.0.5", *kLoopback = "127.0.0.1",
                                *kZero = "0.0.0.0", *kNeverForwarded = "255.255.255.255";
};
template <>
struct Names<V6> {
    static constexpr const char *kPod = "fd00:10:1::10", *kOtherPod = "fd00:10:1::11",
                                *kRemotePod = "fd00:10:2::10", *kGateway = "fd00:10:1::1",
                                *kNode = "fd00:50::1", *kNeighbour = "fd00:50::77",
                                *kDefaultGateway = "fd00:50::fe", *kOutside = "2001:db8::9",
                                *kOtherOutside = "2001:db9::9", *kClusterIp = "fd00:96::10",
                                *kUnallocated = "fd00:96::99", *kVip = "2001:dba::80",
                                *kNoPod = "fd00:10:1::200", *kPodCidr = "fd00:10:1::/64",
                                *kRemoteCidr = "fd00:10:2::/64", *kPods = "fd00:10::/32",
                                *kServices = "fd00:96::/108", *kLink = "fd00:50::/64",
                                *kAny = "::/0", *kOutsideRange = "2001:db8::/32",
                                *kMulticast = "ff02::1", *kLoopback = "::1",
                                *kZero = "::", *kNeverForwarded = "fe80::1";
};

inline constexpr PortId kUplink{0}, kHost{1}, kPodPort{2};
inline constexpr AdjacencyId kToPod{1}, kToRemote{2}, kToHost{3}, kToOtherPod{4};
inline constexpr uint8_t kTcp = kProtocolTcp, kUdp = kProtocolUdp, kSctp = kProtocolSctp,
                         kIcmp = kProtocolIcmp;

/// A node with two pods, a remote node behind a tunnel, a link and a default gateway.
template <Family F>
class Network {
  public:
    using N = Names<F>;
    using Address = typename F::Address;

    static Address address(const char* text) { return parse_ip(text)->as<F>(); }
    static Prefix<F> prefix(const char* text) { return parse_prefix(text)->as<F>(); }
    static Endpoint<F> endpoint(const char* text, uint16_t port) {
        return {address(text), be16(port)};
    }
    static std::shared_ptr<const EndpointSet<F>> set(std::vector<Endpoint<F>> endpoints) {
        auto made = std::make_shared<EndpointSet<F>>();
        std::sort(endpoints.begin(), endpoints.end());
        std::vector<uint64_t> identities(endpoints.size());
        for (size_t i = 0; i < endpoints.size(); ++i) identities[i] = 1000 + i;
        made->maglev = MaglevTable::build(identities);
        made->endpoints = std::move(endpoints);
        return made;
    }

    Network() : snapshot(make_empty_snapshot()) {
        FamilyState<F>& state = snapshot->template family<F>();
        const auto route = [](RouteKind kind, PortId port = kNoPort,
                              AdjacencyId adjacency = kNoAdjacency, std::string origin = "") {
            Route<F> made;
            made.kind = kind;
            made.port = port;
            made.adjacency = adjacency;
            made.origin = std::move(origin);
            return made;
        };
        Route<F> outside = route(RouteKind::kVia, kUplink, kNoAdjacency, "default gateway");
        outside.via = address(N::kDefaultGateway);
        routes = {
            {prefix(N::kAny), outside},
            {prefix(N::kLink), route(RouteKind::kConnected, kUplink)},
            {prefix(N::kPods), route(RouteKind::kUnreachable)},
            {prefix(N::kServices), route(RouteKind::kUnallocated)},
            {prefix(N::kRemoteCidr), route(RouteKind::kAdjacency, kUplink, kToRemote, "node b")},
            {prefix(N::kPodCidr), route(RouteKind::kUnreachable)},
            {host(N::kGateway), route(RouteKind::kGateway)},
            {host(N::kPod), route(RouteKind::kAdjacency, kPodPort, kToPod, "pod default/web")},
            {host(N::kOtherPod), route(RouteKind::kAdjacency, PortId{3}, kToOtherPod)},
            {host(N::kNode), route(RouteKind::kHost, kHost, kToHost)},
        };
        install_routes();
        using Kept = std::vector<std::pair<Prefix<F>, uint8_t>>;
        state.keep_source = std::make_shared<const Lpm<F, uint8_t>>(
            Kept{{prefix(N::kPods), 1}, {prefix(N::kServices), 2}, {host(N::kNode), 3}});
        state.pod_cidrs = {prefix(N::kPodCidr)};
        state.gateways = {address(N::kGateway)};
        state.node_addresses = {address(N::kNode)};
        state.node_port_addresses = {address(N::kNode)};
        state.has_uplink_source = true;
        state.uplink_source = address(N::kNode);
    }

    static Prefix<F> host(const char* text) {
        return {address(text), static_cast<uint8_t>(F::kAddressBits)};
    }
    void install_routes() {
        snapshot->template family<F>().routes = std::make_shared<const Lpm<F, Route<F>>>(routes);
    }

    /// A Service's frontend with the same endpoints for all traffic, for the test to change.
    static Frontend<F> frontend(FrontendKind kind, const char* text, uint16_t port,
                                std::vector<Endpoint<F>> endpoints) {
        Frontend<F> made;
        made.kind = kind;
        made.protocol = kTcp;
        made.any_address = kind == FrontendKind::kNodePort;
        if (!made.any_address) made.address = address(text);
        made.port = be16(port);
        made.service = ServiceId{7};
        made.inside = made.outside = set(std::move(endpoints));
        made.masquerade_outside = kind != FrontendKind::kClusterIp;
        made.service_name = "default/web";
        made.port_name = "http";
        return made;
    }
    void serve(const Frontend<F>& made) {
        auto& table = snapshot->template family<F>().frontends;
        table.set({made.address, made.port, made.protocol},
                  std::make_shared<const Frontend<F>>(made));
        if (made.kind == FrontendKind::kClusterIp) table.set({made.address, be16(0), 0}, nullptr);
    }

    static PathQuery<F> query(PortKind from, const char* src, const char* dst, uint16_t port,
                              uint8_t protocol = kTcp) {
        PathQuery<F> asked;
        asked.key = {address(src), address(dst), be16(40000), be16(port), protocol, 0, 0};
        asked.from = from;
        asked.hash = service_hash(asked.key);
        return asked;
    }
    /// Decides with and without a trace, which must agree; keeps the steps.
    PathDecision<F> ask(const PathQuery<F>& asked) {
        trace = {};
        NoTrace none;
        const auto silent = decide<F>(*snapshot, asked, none);
        const auto told = decide<F>(*snapshot, asked, trace);
        EXPECT_EQ(silent.verdict, told.verdict);
        EXPECT_EQ(silent.to, told.to);
        EXPECT_EQ(silent.adjacency, told.adjacency);
        EXPECT_EQ(silent.reason, told.reason);
        EXPECT_EQ(silent.forwarded, told.forwarded);
        EXPECT_EQ(silent.makes_flow, told.makes_flow);
        return told;
    }
    PathDecision<F> ask(PortKind from, const char* src, const char* dst, uint16_t port,
                        uint8_t protocol = kTcp) {
        return ask(query(from, src, dst, port, protocol));
    }
    /// "STAGE: WHAT (WHY)" of each step.
    [[nodiscard]] std::vector<std::string> steps() const {
        std::vector<std::string> lines;
        for (const PathStep& step : trace.steps) {
            lines.push_back(step.stage + ": " + step.what + " (" + step.why + ")");
        }
        return lines;
    }

    std::shared_ptr<Snapshot> snapshot;
    std::vector<std::pair<Prefix<F>, Route<F>>> routes;
    StepTrace trace;
};

}  // namespace podlane::test
