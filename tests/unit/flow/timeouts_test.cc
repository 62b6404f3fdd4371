#include "lib/flow/timeouts.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

constexpr FlowTimeouts kDefault;

constexpr uint32_t of_tcp(TcpState state, bool replied = true) {
    return kDefault.of(kProtocolTcp, state, replied);
}

// kubernetes/pkg/proxy/apis/config/v1alpha1/defaults.go: 24 hours and 1 hour.
TEST(Timeouts, WhatKubeProxySetsIsAsKubeProxySetsIt) {
    EXPECT_EQ(of_tcp(TcpState::kEstablished), 86400u);
    EXPECT_EQ(of_tcp(TcpState::kCloseWait), 3600u);
}

// Linux, Documentation/networking/nf_conntrack-sysctl.rst.
TEST(Timeouts, TheRestIsNfConntracks) {
    EXPECT_EQ(of_tcp(TcpState::kSynSent), 120u);
    EXPECT_EQ(of_tcp(TcpState::kSynSentBoth), 120u);
    EXPECT_EQ(of_tcp(TcpState::kSynReceived), 60u);
    EXPECT_EQ(of_tcp(TcpState::kFinWait), 120u);
    EXPECT_EQ(of_tcp(TcpState::kLastAck), 30u);
    EXPECT_EQ(of_tcp(TcpState::kTimeWait), 120u);
    EXPECT_EQ(of_tcp(TcpState::kClose), 10u);
    EXPECT_EQ(of_tcp(TcpState::kEstablished, false), 300u);
    EXPECT_EQ(kDefault.of(kProtocolUdp, TcpState::kNone, false), 30u);
    EXPECT_EQ(kDefault.of(kProtocolUdp, TcpState::kNone, true), 120u);
    EXPECT_EQ(kDefault.of(kProtocolIcmp, TcpState::kNone, true), 30u);
    EXPECT_EQ(kDefault.of(kProtocolIcmpv6, TcpState::kNone, true), 30u);
    EXPECT_EQ(kDefault.of(kProtocolSctp, TcpState::kNone, true), 210u);
    EXPECT_EQ(kDefault.of(kProtocolEsp, TcpState::kNone, true), 600u);
}

TEST(Timeouts, AResetThatMayBeForgedIsKeptAsLongAsTimeWait) {
    EXPECT_EQ(of_tcp(TcpState::kResetByOriginal), 120u);
    EXPECT_EQ(of_tcp(TcpState::kResetByReply), 120u);
}

}  // namespace
}  // namespace podlane
