#include "control/node/new_flows.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane::control {
namespace {

FlowRecord from(uint32_t sender, FlowRecordKind kind = FlowRecordKind::kOpened) {
    FlowRecord record;
    record.kind = kind;
    record.src = Ipv4Address{be32(0x0a000000u + sender)};
    record.dst = Ipv4Address{be32(0x0a600001u)};
    record.dst_port = 80;
    record.in_port = PortId{3};
    return record;
}

TEST(NewFlows, SendersAreRankedByWhatTheyOpenAndByWhatIsDenied) {
    NewFlows flows;
    for (int i = 0; i < 5; ++i) flows.add(from(1), 1);
    flows.add(from(2), 4);
    flows.add(from(2, FlowRecordKind::kDenied), 4);
    flows.add(from(3), 1);
    const auto top = flows.top(2);
    ASSERT_EQ(top.size(), 2u);
    EXPECT_EQ(to_string(top[0].address.to_ip()), "10.0.0.2");
    EXPECT_EQ(top[0].flows, 4u);
    EXPECT_EQ(top[0].denied, 4u);
    EXPECT_EQ(top[1].flows, 5u);
    EXPECT_EQ(top[1].last_port, 80);
    EXPECT_EQ(top[1].in_port, PortId{3});
    EXPECT_EQ(flows.flows(), 10u) << "what is denied opens nothing";
    EXPECT_EQ(flows.error(), 0u);
}

TEST(NewFlows, AMillionSendersAreBoundedAndTheLargeOnesStay) {
    NewFlows flows;
    for (uint32_t i = 0; i < 1'000'000; ++i) {
        flows.add(from(1000 + i), 1);
        if (i % 100 == 0) flows.add(from(7), 1);
    }
    EXPECT_LE(flows.size(), 2 * NewFlows::kMost);
    const auto top = flows.top(1);
    ASSERT_EQ(top.size(), 1u);
    EXPECT_EQ(top[0].address, from(7).src);
    EXPECT_LE(top[0].flows, 10'000u);
    EXPECT_GE(top[0].flows + flows.error(), 10'000u);
    EXPECT_LE(flows.error(), 1'010'000u / NewFlows::kMost) << "the bound";
    EXPECT_EQ(flows.flows(), 1'010'000u);
}

}  // namespace
}  // namespace podlane::control
