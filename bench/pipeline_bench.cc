// The packet path by stage and as a whole: parse, rewrite, encap, and a burst from parse to send.
//
// Frames of 60 bytes are copied into fresh packet buffers for each burst, since stages change them;
// the figures include that copy. Sent frames go to net_null. There is no device to read from and no
// second worker: an upper bound for what a port can deliver. Items are packets.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "control/capture/filter.h"
#include "dataplane/pipeline.h"
#include "dataplane/ports/open_ports.h"
#include "dataplane/probe/observer.h"
#include "dataplane/probe/probes.h"
#include "dataplane/shared.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"
#include "tests/support/frames.h"
#include "tests/support/world.h"

namespace podlane::dataplane {
namespace {

constexpr uint32_t kFlowCapacity = 1u << 20;

template <class T>
T take(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(result).value();
}

/// One worker's context with all ports on net_null, for the lifetime of the program.
struct Bench {
    Eal eal;
    PacketPool pool;
    std::unique_ptr<Shared> shared = std::make_unique<Shared>(1);
    std::vector<std::unique_ptr<OpenPort>> ports;
    std::shared_ptr<Snapshot> snapshot;
    std::unique_ptr<WorkerCtx> ctx = std::make_unique<WorkerCtx>();

    static Bench& get() {
        static auto* bench = new Bench;  // never destroyed: at exit it is too late
        return *bench;
    }

  private:
    static PacketPoolRequest pool_request() {
        PacketPoolRequest request;
        request.mbufs = 8192;
        return request;
    }
    Bench() : eal(take(start_eal(EalRequest{}))), pool(take(create_packet_pool(pool_request()))) {
        shared->control_doorbell.sleeping = false;
        for (uint16_t i = 0; i < 4; ++i) {
            auto port = take(open_device_port({"p" + std::to_string(i), PortKind::kPod,
                                               "net_null" + std::to_string(i), 1500, std::nullopt,
                                               1, pool.get()}));
            port->port.id = PortId{i};
            shared->ports.set(PortId{i}, &port->port);
            ports.push_back(std::move(port));
        }
        snapshot = make_world({PortId{0}, PortId{1}, PortId{2}, PortId{3}});
        guard_pod_a();
        FlowTableOptions options;
        options.capacity = kFlowCapacity;
        options.shares = true;
        options.traffic = true;  // only counted into by those who say so
        shared->flows_v4 = take(FlowTable<V4>::create(options, shared->domain));
        shared->flows_v6 = take(FlowTable<V6>::create(options, shared->domain));
        shared->domain.online(0);
        ctx->counters = shared->counters[0].get();
        ctx->flows_v4 = shared->flows_v4.get();
        ctx->flows_v6 = shared->flows_v6.get();
        ctx->pool = pool.get();
        ctx->ports = &shared->ports;
        ctx->flow_targets = &shared->flow_targets;
        ctx->recorder = &shared->recorder;
        shared->affinity = std::make_unique<AffinityTables>(kFlowCapacity);
        ctx->affinity = shared->affinity.get();
        ctx->handoff = &shared->handoff;
        ctx->doorbells = shared->doorbells.data();
        ctx->control_doorbell = &shared->control_doorbell;
        ctx->events = shared->events[0].get();
        ctx->snapshot = snapshot.get();
        ctx->now_ms = 1000;
        ctx->now_s = 1;
    }
    /// Allows pod A's port the addresses that templates() sends from.
    void guard_pod_a() {
        auto views = std::make_shared<PortViews>(*snapshot->ports);
        auto sources = std::make_shared<PortSources>();
        sources->mac = RigNames::kPodAMac;
        sources->v4.add({ip<V4>(World<V4>::kPodA), 32});
        sources->v4.add({ip<V4>("10.244.1.0"), 24});
        sources->v6.add({ip<V6>(World<V6>::kPodA), 128});
        sources->v6.add({ip<V6>("fd00:1::"), 64});
        (*views)[0].sources = std::move(sources);
        snapshot->ports = std::move(views);
    }
};

using Template = std::array<uint8_t, 64>;

/// UDP frames from pod A, one flow each, in random order.
template <Family F>
std::vector<Template> templates(uint32_t flows, const char* dst, const MacAddress& dst_mac) {
    using W = World<F>;
    std::vector<Template> out(flows);
    for (uint32_t i = 0; i < flows; ++i) {
        const auto src = address_plus(parse_ip(W::kPodA).value(), i >> 15);
        const auto frame = test::frame()
                               .eth(RigNames::kPodAMac, dst_mac)
                               .ip(src, parse_ip(dst).value())
                               .udp(static_cast<uint16_t>(1024 + (i & 0x7fff)), 80)
                               .payload(std::same_as<F, V4> ? 18 : 0)
                               .build();
        std::copy_n(frame.begin(), std::min(frame.size(), out[i].size()), out[i].begin());
    }
    std::shuffle(out.begin(), out.end(), std::mt19937(7));
    return out;
}

constexpr size_t frame_bytes(int version) noexcept {
    return version == 4 ? 60 : 62;
}

/// Fills the next burst with fresh copies.
template <Family F>
Burst next_burst(WorkerCtx& ctx, const std::vector<Template>& from, size_t& at) {
    for (unsigned i = 0; i < kBurst; ++i) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
        if (mbuf == nullptr) throw std::runtime_error("the pool is empty");
        std::memcpy(rte_pktmbuf_append(mbuf, frame_bytes(F::kVersion)), from[at].data(), 64);
        at = at + 1 == from.size() ? 0 : at + 1;
        Packet& packet = ctx.packets[i];
        packet.mbuf = mbuf;
        packet.in_port = PortId{0};
        packet.flags = 0;
    }
    return {ctx.packets.data(), kBurst};
}

/// Runs a burst as a worker does (worker.cc).
void run_burst(WorkerCtx& ctx, Burst burst) {
    if (ctx.probes == nullptr) {
        Pipeline::run(ctx, burst);
        return;
    }
    ProbeObserver observer(ctx, *ctx.probes, false);
    ctx.observer = &observer;
    Pipeline::run(ctx, burst, observer);
    ctx.observer = nullptr;
}

/// `probe`: a probe that is on meanwhile.
template <Family F>
void run(benchmark::State& state, const char* dst, const MacAddress& dst_mac,
         std::optional<ProbeRequest> probe = std::nullopt) {
    Bench& bench = Bench::get();
    WorkerCtx& ctx = *bench.ctx;
    Probes probes(*bench.shared);
    const ProbeId id = probe ? take(probes.start_probe(*std::move(probe))) : ProbeId{0};
    ctx.probes = bench.shared->probes.load();
    const auto flows = static_cast<uint32_t>(state.range(0));
    const auto frames = templates<F>(flows, dst, dst_mac);
    size_t at = 0;
    const auto one = [&] {
        bench.shared->domain.quiescent(0);
        run_burst(ctx, next_burst<F>(ctx, frames, at));
        flush(ctx);
    };
    for (uint32_t i = 0; i < flows + kBurst; i += kBurst) one();
    const uint64_t drops_before = ctx.counters->ports[0].rx_dropped.get();
    const uint64_t slow_before = ctx.counters->at(PipelineStage::kSlowPath).in.get();
    for (auto _ : state) one();
    state.SetItemsProcessed(state.iterations() * kBurst);
    if (ctx.counters->ports[0].rx_dropped.get() != drops_before) {
        state.SkipWithError("packets were dropped");
    }
    state.counters["slow"] =
        static_cast<double>(ctx.counters->at(PipelineStage::kSlowPath).in.get() - slow_before);
    if (ctx.probes == nullptr) return;
    const ProbeBatch seen = probes.read_probe(id);
    state.counters["records"] = static_cast<double>(seen.records.size() + seen.missed);
    probes.stop_probe(id);
    ctx.probes = nullptr;
}

void ClusterIpIpv4(benchmark::State& state) {
    run<V4>(state, World<V4>::kService, RigNames::kGatewayMac);
}
void ClusterIpIpv6(benchmark::State& state) {
    run<V6>(state, World<V6>::kService, RigNames::kGatewayMac);
}
void BridgedIpv4(benchmark::State& state) {
    run<V4>(state, World<V4>::kPodB, RigNames::kPodBMac);
}
/// From a pod that a connection has led to: any of its frames may be a reply to translate back.
void BridgedAfterLookupIpv4(benchmark::State& state) {
    FlowTargets& targets = Bench::get().shared->flow_targets;
    targets.add(PortId{0});
    run<V4>(state, World<V4>::kPodB, RigNames::kPodBMac);
    targets.forget(PortId{0});
}
void EncapIpv4(benchmark::State& state) {
    run<V4>(state, World<V4>::kRemotePod, RigNames::kGatewayMac);
}
/// Also over an IPv4 underlay, with outer headers that have no checksum over the frame.
void EncapIpv6(benchmark::State& state) {
    run<V6>(state, World<V6>::kRemotePod, RigNames::kGatewayMac);
}

/// With packets and bytes of each other Node counted.
void EncapIpv4ByNode(benchmark::State& state) {
    static PeerCounts counts(1);
    WorkerCtx& ctx = *Bench::get().ctx;
    ctx.peers = &counts.row(0);
    EncapIpv4(state);
    ctx.peers = nullptr;
}

/// With packets and bytes counted for each connection.
void ClusterIpIpv4Counted(benchmark::State& state) {
    WorkerCtx& ctx = *Bench::get().ctx;
    ctx.counts_traffic = true;
    run<V4>(state, World<V4>::kService, RigNames::kGatewayMac);
    ctx.counts_traffic = false;
}

/// Of templates(): one flow at both ends of its way, by a filter in pcap's words.
ProbeRequest one_flow(uint8_t points) {
    ProbeRequest request;
    request.points = points;
    request.filter =
        take(control::compile_filter("udp and src host " + std::string(World<V4>::kPodA) +
                                     " and src port 1024 and (dst port 80 or dst port 8080)"));
    request.packets_per_second = 0;
    return request;
}
void ClusterIpIpv4Captured(benchmark::State& state) {
    run<V4>(state, World<V4>::kService, RigNames::kGatewayMac, one_flow(kProbeIn | kProbeOut));
}
void ClusterIpIpv4Traced(benchmark::State& state) {
    run<V4>(state, World<V4>::kService, RigNames::kGatewayMac, one_flow(0));
}
/// Captures only drops, of which there are none.
void ClusterIpIpv4DropsCaptured(benchmark::State& state) {
    ProbeRequest drops;
    drops.points = kProbeDrop;
    run<V4>(state, World<V4>::kService, RigNames::kGatewayMac, drops);
}
BENCHMARK(EncapIpv4ByNode)->Arg(4096)->Arg(65536);
BENCHMARK(ClusterIpIpv4Counted)->Arg(4096)->Arg(65536)->Arg(1 << 19);
BENCHMARK(ClusterIpIpv4Captured)->Arg(65536);
BENCHMARK(ClusterIpIpv4Traced)->Arg(65536);
BENCHMARK(ClusterIpIpv4DropsCaptured)->Arg(65536);
BENCHMARK(BridgedIpv4)->Arg(4096);
BENCHMARK(BridgedAfterLookupIpv4)->Arg(4096);
BENCHMARK(ClusterIpIpv4)->Arg(1)->Arg(4096)->Arg(65536)->Arg(1 << 19);
BENCHMARK(ClusterIpIpv6)->Arg(4096)->Arg(65536);
BENCHMARK(EncapIpv4)->Arg(4096)->Arg(65536);
BENCHMARK(EncapIpv6)->Arg(4096);

/// A frame as its peer node sends it: 110 bytes.
using TunnelTemplate = std::array<uint8_t, 128>;
constexpr size_t kTunnelBytes = 110;

/// UDP from a remote pod to pod A through the tunnel, one flow each, in random order.
std::vector<TunnelTemplate> tunnel_templates(uint32_t flows) {
    using W = World<V4>;
    std::vector<TunnelTemplate> out(flows);
    for (uint32_t i = 0; i < flows; ++i) {
        const auto src = address_plus(parse_ip(W::kRemotePod).value(), i >> 15);
        const auto frame = test::frame()
                               .eth(RigNames::kPeerMac, RigNames::kUplinkMac)
                               .ip(parse_ip(W::kPeer).value(), parse_ip(W::kNode).value())
                               .udp(50000, 8472)
                               .no_udp_checksum()
                               .vxlan(1)
                               .eth(RigNames::kPeerVtepMac, RigNames::kVtepMac)
                               .ip(src, parse_ip(W::kPodA).value())
                               .udp(static_cast<uint16_t>(1024 + (i & 0x7fff)), 80)
                               .payload(18)
                               .build();
        if (frame.size() != kTunnelBytes) throw std::runtime_error("another size");
        std::copy(frame.begin(), frame.end(), out[i].begin());
    }
    std::shuffle(out.begin(), out.end(), std::mt19937(7));
    return out;
}

void DecapIpv4(benchmark::State& state) {
    Bench& bench = Bench::get();
    WorkerCtx& ctx = *bench.ctx;
    const auto flows = static_cast<uint32_t>(state.range(0));
    const auto frames = tunnel_templates(flows);
    constexpr PortId kUplink{2};
    size_t at = 0;
    const auto one = [&] {
        bench.shared->domain.quiescent(0);
        for (unsigned i = 0; i < kBurst; ++i) {
            rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
            if (mbuf == nullptr) throw std::runtime_error("the pool is empty");
            std::memcpy(rte_pktmbuf_append(mbuf, kTunnelBytes), frames[at].data(), 128);
            at = at + 1 == frames.size() ? 0 : at + 1;
            ctx.packets[i].mbuf = mbuf;
            ctx.packets[i].in_port = kUplink;
            ctx.packets[i].flags = 0;
        }
        Pipeline::run(ctx, {ctx.packets.data(), kBurst});
        flush(ctx);
    };
    for (uint32_t i = 0; i < flows + kBurst; i += kBurst) one();
    const uint64_t drops_before = ctx.counters->ports[index_of(kUplink)].rx_dropped.get();
    const uint64_t sent_before = ctx.counters->ports[0].tx_packets.get();
    for (auto _ : state) one();
    state.SetItemsProcessed(state.iterations() * kBurst);
    if (ctx.counters->ports[index_of(kUplink)].rx_dropped.get() != drops_before ||
        ctx.counters->ports[0].tx_packets.get() == sent_before) {
        state.SkipWithError("packets were dropped");
    }
}
BENCHMARK(DecapIpv4)->Arg(4096)->Arg(65536);

/// A connection's life: each packet opens one through a ClusterIP, and one that has aged is
/// removed. A second passes with every kASecond of them, so the table holds 30 seconds' worth.
template <Family F>
void live_and_die(benchmark::State& state) {
    constexpr uint32_t kASecond = 16384;
    constexpr uint32_t kWarmSeconds = 40;
    Bench& bench = Bench::get();
    WorkerCtx& ctx = *bench.ctx;
    FlowTable<F>& table = ctx.flows<F>();
    // So many that a source's connection has aged out before the source comes again.
    const auto frames = templates<F>(1u << 21, World<F>::kService, RigNames::kGatewayMac);
    size_t at = 0;
    uint32_t opened = 0;
    const auto turn = [&] {
        bench.shared->domain.quiescent(0);
        Pipeline::run(ctx, next_burst<F>(ctx, frames, at));
        flush(ctx);
        table.maintain(0, ctx.now_s);
        table.sweep(0, ctx.now_s, 16 * kBurst);
        if ((opened += kBurst) % kASecond == 0) ++ctx.now_s;
    };
    while (opened < kWarmSeconds * kASecond) turn();
    const FlowCounters before = table.counters();
    for (auto _ : state) turn();
    const FlowCounters after = table.counters();
    const auto packets = static_cast<uint64_t>(state.iterations()) * kBurst;
    state.SetItemsProcessed(static_cast<int64_t>(packets));
    if (after.created - before.created != packets) state.SkipWithError("not all were new");
    state.counters["population"] = static_cast<double>(after.active);
    // The other benchmarks need a table without these.
    ctx.now_s += 1000;
    for (uint32_t i = 0; i < 2 * kFlowCapacity; i += 16 * kBurst) {
        bench.shared->domain.quiescent(0);
        table.maintain(0, ctx.now_s);
        table.sweep(0, ctx.now_s, 16 * kBurst);
    }
}
void NewConnectionsIpv4(benchmark::State& state) {
    live_and_die<V4>(state);
}
void NewConnectionsIpv6(benchmark::State& state) {
    live_and_die<V6>(state);
}
BENCHMARK(NewConnectionsIpv4);
BENCHMARK(NewConnectionsIpv6);

/// The cost of the copies and the buffers alone, to subtract from the others.
void Source(benchmark::State& state) {
    Bench& bench = Bench::get();
    const auto frames = templates<V4>(4096, World<V4>::kService, RigNames::kGatewayMac);
    size_t at = 0;
    for (auto _ : state) {
        for (Packet& packet : next_burst<V4>(*bench.ctx, frames, at)) {
            rte_pktmbuf_free(packet.mbuf);
        }
    }
    state.SetItemsProcessed(state.iterations() * kBurst);
}
BENCHMARK(Source);

/// Parse alone, on frames that are in the cache.
void ParseFrame(benchmark::State& state) {
    const auto frames = templates<V4>(256, World<V4>::kService, RigNames::kGatewayMac);
    for (auto _ : state) {
        for (const Template& frame : frames) {
            Headers headers;
            benchmark::DoNotOptimize(parse_frame(std::span(frame).first(60), 60, headers));
            benchmark::DoNotOptimize(headers);
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(frames.size()));
}
BENCHMARK(ParseFrame);

/// A DNAT rewrite alone, there and back so that the frame stays the same.
void ApplyRewrite(benchmark::State& state) {
    auto frame = templates<V4>(1, World<V4>::kService, RigNames::kGatewayMac).front();
    Headers headers;
    if (parse_frame(std::span(frame).first(60), 60, headers) != Drop::kNone) {
        state.SkipWithError("the frame is wrong");
        return;
    }
    const FlowKey<V4> from = flow_key<V4>(frame.data(), headers);
    FlowKey<V4> to = from;
    to.dst = parse_ip(World<V4>::kPodB).value().as<V4>();
    to.dst_port = be16(8080);
    const Rewrite<V4> there = make_rewrite<V4>(from, to);
    const Rewrite<V4> back = make_rewrite<V4>(to, from);
    for (auto _ : state) {
        apply_rewrite<V4>(frame.data(), headers, there, CsumState::kComplete);
        apply_rewrite<V4>(frame.data(), headers, back, CsumState::kComplete);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(ApplyRewrite);

}  // namespace
}  // namespace podlane::dataplane

BENCHMARK_MAIN();
