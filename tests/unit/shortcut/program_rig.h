// The BPF program, loaded, on two devices, with one direction of a connection in its maps; and what
// a worker makes of the same packets.
#pragma once

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "control/netdev/rtnl.h"
#include "control/shortcut/entries.h"
#include "control/shortcut/kernel_flows.h"
#include "control/shortcut/layout.h"
#include "control/shortcut/program.h"
#include "lib/flow/rewrite.h"
#include "lib/proto/parse.h"
#include "tests/support/frames.h"
#include "tests/support/seed.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {

using test::Bytes;

inline constexpr MacAddress kPod{{2, 0, 0, 0, 0, 0x0a}}, kOther{{2, 0, 0, 0, 0, 0x0b}};
inline constexpr MacAddress kGateway{{2, 0, 0, 0, 0, 1}};
inline constexpr MacAddress kNic{{2, 0, 0, 0, 0, 0x0c}}, kRouter{{2, 0, 0, 0, 0, 0x0d}};
inline constexpr int kRedirect = 7, kPass = 0;  // TC_ACT_REDIRECT, TC_ACT_OK
inline constexpr uint32_t kEpoch = 5;

/// One direction of a connection, as the flow table would say it.
template <Family F>
CarriedWay way_of(const FlowKey<F>& from, const FlowKey<F>& to, uint8_t extra) {
    const Rewrite<F> rewrite = make_rewrite(from, to, extra);
    CarriedWay way;
    way.src = from.src;
    way.dst = from.dst;
    way.src_port = from.src_port;
    way.dst_port = from.dst_port;
    way.to_src = to.src;
    way.to_dst = to.dst;
    way.to_src_port = to.src_port;
    way.to_dst_port = to.dst_port;
    way.addresses = address_delta(from.src, from.dst, to.src, to.dst);
    way.ports =
        checksum_delta(from.src_port, to.src_port) + checksum_delta(from.dst_port, to.dst_port);
    way.header = rewrite.header;
    way.flags = rewrite.flags;
    way.mtu = 1500;
    way.dst_mac = kOther;
    way.src_mac = kGateway;
    return way;
}

class ShortcutProgramTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        there_.run([this] {
            auto rtnl = Rtnl::open();
            ASSERT_TRUE(rtnl->add_veth("one", "two").ok());
            one_ = (*rtnl->find_link("one"))->ifindex;
            two_ = (*rtnl->find_link("two"))->ifindex;
            auto loaded = ShortcutProgram::load("node-a");
            if (!loaded.ok()) {
                why_not_ = loaded.error().message;
                return;
            }
            program_ = std::move(*loaded);
            ASSERT_TRUE(program_->connect(one_, two_, kPod).ok());
        });
        if (!why_not_.empty()) GTEST_SKIP() << why_not_;
        auto maps = program_->maps();
        ASSERT_TRUE(maps.ok());
        auto opened = open_kernel_flows(std::move(*maps));
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        kernel_ = std::move(*opened);
        kernel_->epochs().form = PODLANE_SHORTCUT_FORM;
        kernel_->epochs().topology = kEpoch;
        kernel_->epochs().isolated = 1000;
    }

    void put(const CarriedWay& way, uint8_t protocol, uint8_t flags = 0) {
        kernel_->state(1) = {.epoch = kEpoch};
        kernel_->state(2) = {.epoch = kEpoch};
        CarriedWay back;
        back.src_mac = kGateway;
        shortcut_rewrite rewrite =
            shortcut_rewrite_of(way, back, kPod, static_cast<uint32_t>(two_), 1, 2);
        rewrite.flags |= flags;
        ASSERT_TRUE(
            kernel_->put(shortcut_key_of(way, protocol, static_cast<uint32_t>(one_)), rewrite));
    }

    /// What the program makes of the frame, and whether it carried it. What the host interface's
    /// program does not carry goes on its way.
    std::pair<Bytes, bool> run(const Bytes& frame, size_t program = kFromPod) {
        Bytes out(frame.size() + 64);
        const uint64_t before = kernel_->state(1).packets;
        int failed = 0;
        there_.run([&] {
            __sk_buff context{};
            context.ifindex = static_cast<uint32_t>(one_);
            bpf_test_run_opts options{};
            options.sz = sizeof(options);
            options.data_in = frame.data();
            options.data_out = out.data();
            options.data_size_in = static_cast<uint32_t>(frame.size());
            options.data_size_out = static_cast<uint32_t>(out.size());
            options.ctx_in = &context;
            options.ctx_size_in = sizeof(context);
            failed = ::bpf_prog_test_run_opts(program_->programs()[program], &options);
            const bool stays = program == kFromHost && kernel_->state(1).packets == before;
            EXPECT_EQ(options.retval, static_cast<uint32_t>(stays ? kPass : kRedirect));
            out.resize(options.data_size_out);
        });
        EXPECT_EQ(failed, 0);
        return {out, kernel_->state(1).packets == before + 1};
    }
    void expect_given_up(const Bytes& frame, const char* what, size_t program = kFromPod) {
        const auto [out, carried] = run(frame, program);
        EXPECT_FALSE(carried) << what;
        EXPECT_EQ(out, frame) << what;
    }

    static constexpr size_t kFromPod = 0, kFromNic = 2, kFromHost = 4;
    ScratchNamespace there_;
    int one_ = 0, two_ = 0;
    std::string why_not_;
    std::unique_ptr<ShortcutProgram> program_;
    std::unique_ptr<KernelFlows> kernel_;
};

/// The worker's outcome, with the MAC addresses of the next hop.
template <Family F>
Bytes by_worker(Bytes frame, const FlowKey<F>& from, const FlowKey<F>& to, uint8_t extra,
                bool is_routed = false) {
    Headers headers;
    EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
    const Rewrite<F> rewrite = make_rewrite(from, to, extra);
    apply_rewrite<F>(frame.data(), headers, rewrite, CsumState::kComplete);
    if (rewrite.flags != 0 || is_routed) {
        std::ranges::copy(kOther.bytes, frame.begin());
        std::ranges::copy(kGateway.bytes, frame.begin() + 6);
    }
    return frame;
}

template <Family F>
FlowKey<F> random_key(std::mt19937_64& random, uint8_t protocol) {
    FlowKey<F> key{};
    const auto port = [&] { return be16(static_cast<uint16_t>(1 + random() % 65535)); };
    key.src = test::pod_address<F>(static_cast<uint16_t>(1 + random() % 60000));
    key.dst = test::pod_address<F>(static_cast<uint16_t>(1 + random() % 60000));
    key.src_port = port();
    key.dst_port = port();
    key.protocol = protocol;
    return key;
}

template <Family F>
Bytes frame_of(std::mt19937_64& random, const FlowKey<F>& key, const MacAddress& dst) {
    auto frame = test::frame();
    frame.eth(kPod, dst).template ip<F>(key.src, key.dst);
    if (key.protocol == kProtocolTcp) {
        frame.tcp(key.src_port.host(), key.dst_port.host(),
                  random() % 2 == 0 ? kTcpAck : kTcpAck | kTcpPsh, static_cast<uint32_t>(random()));
    } else {
        frame.udp(key.src_port.host(), key.dst_port.host());
    }
    Bytes payload(random() % 1400);
    for (uint8_t& byte : payload) byte = static_cast<uint8_t>(random());
    return frame.payload(payload).build();
}

}  // namespace podlane::control
