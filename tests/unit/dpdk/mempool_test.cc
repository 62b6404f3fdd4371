#include "lib/dpdk/mempool.h"

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <cstring>
#include <vector>

#include "tests/unit/dpdk/eal_fixture.h"

namespace podlane {
namespace {

class Mempool : public EalTest, public testing::WithParamInterface<bool> {};

TEST_P(Mempool, EveryBufferIsThereWithItsRoomAndComesBack) {
    PacketPoolRequest request;
    request.mbufs = 5000;
    request.private_bytes = 12;
    request.own_memory = GetParam();
    auto pool = create_packet_pool(request);
    ASSERT_TRUE(pool.ok()) << pool.error().message;
    EXPECT_EQ(pool->mbufs(), 5000u);
    EXPECT_EQ(pool->available(), 5000u);
    std::vector<rte_mbuf*> all;
    while (rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool->get())) {
        EXPECT_EQ(rte_pktmbuf_headroom(mbuf), RTE_PKTMBUF_HEADROOM);
        EXPECT_EQ(rte_pktmbuf_tailroom(mbuf), request.mbuf_bytes - RTE_PKTMBUF_HEADROOM);
        EXPECT_EQ(mbuf->priv_size, 16u);
        std::memset(mbuf->buf_addr, static_cast<int>(all.size()), request.mbuf_bytes);
        all.push_back(mbuf);
    }
    EXPECT_EQ(all.size(), 5000u);
    for (size_t i = 0; i < all.size(); ++i) {
        const auto* bytes = static_cast<const uint8_t*>(all[i]->buf_addr);
        ASSERT_EQ(bytes[0], static_cast<uint8_t>(i)) << "no two have one room";
        ASSERT_EQ(bytes[request.mbuf_bytes - 1], static_cast<uint8_t>(i));
    }
    rte_pktmbuf_free_bulk(all.data(), static_cast<unsigned>(all.size()));
    EXPECT_EQ(pool->available(), 5000u);
}

TEST_P(Mempool, WhatCannotBeMadeIsSaid) {
    PacketPoolRequest request;
    request.own_memory = GetParam();
    request.mbufs = 0;
    EXPECT_NE(create_packet_pool(request).error().message.find("at least one"), std::string::npos);
    request.mbufs = 16;
    request.mbuf_bytes = 70000;
    EXPECT_NE(create_packet_pool(request).error().message.find("65535"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(OwnOrEals, Mempool, testing::Bool());

}  // namespace
}  // namespace podlane
