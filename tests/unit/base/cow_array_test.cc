#include "lib/base/cow_array.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace podlane {
namespace {

TEST(CowArray, WhatWasNeverSetReadsAsTheDefault) {
    const CowArray<std::string> array;
    EXPECT_EQ(array[0], "");
    EXPECT_EQ(array[1'000'000], "");
    EXPECT_EQ(array.address_of(5), nullptr);
    EXPECT_EQ(array.size(), 0u);
}

TEST(CowArray, ACopyKeepsItsValuesWhenTheOriginalChanges) {
    CowArray<int, 8> first;
    first.set(3, 30);
    first.set(20, 200);
    CowArray<int, 8> second = first;
    second.set(3, 31);
    EXPECT_EQ(first[3], 30);
    EXPECT_EQ(second[3], 31);
    first.set(20, 201);
    EXPECT_EQ(second[20], 200);
}

TEST(CowArray, ACopySharesEveryChunkButTheChangedOne) {
    CowArray<int, 8> first;
    for (size_t i = 0; i < 32; ++i) first.set(i, static_cast<int>(i));
    CowArray<int, 8> second = first;
    EXPECT_EQ(first.address_of(9), second.address_of(9));
    second.set(9, 99);
    EXPECT_NE(first.address_of(9), second.address_of(9));
    EXPECT_NE(first.address_of(8), second.address_of(8)) << "the chunk is copied whole";
    EXPECT_EQ(first.address_of(16), second.address_of(16));
    const int* own = second.address_of(9);
    second.set(10, 1);
    EXPECT_EQ(second.address_of(9), own) << "an unshared chunk is changed in place";
}

TEST(CowArray, ManyGenerationsAgreeWithVectors) {
    constexpr unsigned kSeed = 4711;
    std::mt19937 random(kSeed);
    std::vector<CowArray<int, 4>> arrays(1);
    std::vector<std::vector<int>> oracle(1, std::vector<int>(100));
    for (int generation = 1; generation < 200; ++generation) {
        const size_t from = random() % arrays.size();
        arrays.push_back(arrays[from]);
        oracle.push_back(oracle[from]);
        for (size_t i = random() % 5; i > 0; --i) {
            const size_t at = random() % 100;
            arrays.back().mutable_at(at) = generation;
            oracle.back()[at] = generation;
        }
    }
    for (size_t i = 0; i < arrays.size(); ++i) {
        for (size_t at = 0; at < 100; ++at) {
            ASSERT_EQ(arrays[i][at], oracle[i][at]) << "seed " << kSeed;
        }
    }
}

}  // namespace
}  // namespace podlane
