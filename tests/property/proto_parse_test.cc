// The parser on every truncation of many frames, and on frames damaged at random. Each input is in
// a heap block of its exact size, so that a sanitizer sees a read one byte beyond.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "lib/proto/parse.h"
#include "tests/support/mutate.h"
#include "tests/support/parse_check.h"
#include "tests/support/seed.h"

namespace podlane {
namespace {

using test::Bytes;

constexpr size_t kMutations = 200'000;

std::unique_ptr<uint8_t[]> exact_copy(std::span<const uint8_t> bytes) {
    auto block = std::make_unique_for_overwrite<uint8_t[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(block.get(), bytes.data(), bytes.size());
    return block;
}

std::string check_exactly(std::span<const uint8_t> bytes) {
    const auto block = exact_copy(bytes);
    return test::check_parse({block.get(), bytes.size()});
}

TEST(ParseProperty, EverySampleIsAccepted) {
    for (const auto& [name, bytes] : test::sample_frames()) {
        Headers headers;
        EXPECT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), headers), Drop::kNone)
            << name << ": " << test::describe(bytes);
        EXPECT_EQ(check_exactly(bytes), "") << name << ": " << test::describe(bytes);
    }
}

TEST(ParseProperty, EveryTruncatedFrameIsSafe) {
    for (const auto& [name, bytes] : test::sample_frames()) {
        for (size_t length = 0; length <= bytes.size(); ++length) {
            EXPECT_EQ(check_exactly(std::span(bytes).first(length)), "") << name << ' ' << length;
        }
    }
}

TEST(ParseProperty, AFrameCutInItsHeadersIsDroppedAndAFrameCutInItsPayloadHasABadLength) {
    for (const auto& [name, bytes] : test::sample_frames()) {
        Headers whole;
        ASSERT_EQ(parse_frame(bytes, static_cast<uint32_t>(bytes.size()), whole), Drop::kNone);
        if (whole.ip_version == 0) continue;
        for (uint32_t length = 0; length < whole.l3_end(); ++length) {
            Headers cut;
            const Drop drop = parse_frame(std::span(bytes).first(length), length, cut);
            EXPECT_NE(drop, Drop::kNone) << name << ' ' << length;
            if (length >= whole.payload_offset) {
                EXPECT_EQ(drop, Drop::kIpBadTotalLength) << name << ' ' << length;
            }
        }
    }
}

TEST(ParseProperty, AFirstBufferThatHoldsTheHeadersIsEnough) {
    for (const auto& [name, bytes] : test::sample_frames()) {
        Headers whole;
        const auto frame_bytes = static_cast<uint32_t>(bytes.size());
        ASSERT_EQ(parse_frame(bytes, frame_bytes, whole), Drop::kNone);
        const size_t needed = whole.ip_version == 0 ? whole.l3_offset : whole.payload_offset;
        for (size_t length = 0; length <= bytes.size(); ++length) {
            const auto block = exact_copy(std::span(bytes).first(length));
            Headers head;
            const Drop drop = parse_frame({block.get(), length}, frame_bytes, head);
            EXPECT_EQ(drop == Drop::kNone, length >= needed) << name << ' ' << length;
            if (drop != Drop::kNone) continue;
            EXPECT_EQ(std::memcmp(&head, &whole, sizeof head), 0) << name;
        }
    }
}

TEST(ParseProperty, DamagedFramesKeepEveryPromise) {
    const uint64_t seed = test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const auto samples = test::sample_frames();
    for (size_t i = 0; i < kMutations; ++i) {
        const auto& one = samples[random() % samples.size()];
        const auto& other = samples[random() % samples.size()];
        Bytes bytes = test::mutated(one.bytes, other.bytes, random);
        // Half of them get a right header checksum; otherwise few would get past it.
        if (bytes.size() >= 34 && bytes[12] == 0x08 && bytes[13] == 0 && random() % 2 == 0) {
            const size_t header_bytes = (bytes[14] & 0xfu) * 4;
            if (header_bytes >= 20 && bytes.size() >= 14 + header_bytes) {
                store(bytes.data() + 24, be16(0));
                store(bytes.data() + 24,
                      ipv4_header_checksum(std::span(bytes).subspan(14, header_bytes)));
            }
        }
        ASSERT_EQ(check_exactly(bytes), "")
            << one.name << " in round " << i << ": " << test::describe(bytes);
    }
}

}  // namespace
}  // namespace podlane
