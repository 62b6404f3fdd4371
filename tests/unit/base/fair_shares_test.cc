#include "lib/base/fair_shares.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

TEST(FairSharesTest, OneClientGetsHalfAndTheNextOnesFindPlaces) {
    FairShares<int> shares(256);
    size_t got = 0;
    while (shares.take(1)) ++got;
    EXPECT_EQ(got, 128u);
    EXPECT_TRUE(shares.take(2));
    EXPECT_TRUE(shares.take(2));
    EXPECT_FALSE(shares.take(1));
}

TEST(FairSharesTest, ManyGreedyClientsLeaveAPlaceForOneMore) {
    FairShares<int> shares(256);
    for (int round = 0; round < 300; ++round) {
        for (int client = 0; client < 100; ++client) static_cast<void>(shares.take(client));
    }
    EXPECT_TRUE(shares.take(1000));
}

TEST(FairSharesTest, WhatIsReleasedIsFree) {
    FairShares<int> shares(2);
    EXPECT_TRUE(shares.take(1));
    EXPECT_FALSE(shares.take(1)) << "the other one is for others";
    EXPECT_TRUE(shares.take(2));
    EXPECT_FALSE(shares.take(3));
    shares.release(3);
    EXPECT_FALSE(shares.take(3)) << "it had none";
    shares.release(1);
    EXPECT_TRUE(shares.take(3));
}

}  // namespace
}  // namespace podlane
