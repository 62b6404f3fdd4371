#include "dataplane/probe/record_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace podlane::dataplane {
namespace {

struct Number {
    uint64_t value;
};
using Ring = RecordRing<Number>;

bool put(Ring& ring, uint64_t value, const std::string& data) {
    Number* const record = ring.append(data.size());
    if (record == nullptr) return false;
    record->value = value;
    std::copy(data.begin(), data.end(), reinterpret_cast<char*>(record + 1));
    return true;
}
std::vector<std::string> take(Ring& ring, size_t most = 1 << 20) {
    std::vector<std::string> out;
    ring.take(most, [&](const Number& number, const uint8_t* data, size_t bytes) {
        out.push_back(std::to_string(number.value) +
                      std::string(reinterpret_cast<const char*>(data), bytes));
    });
    return out;
}

TEST(RecordRing, RecordsComeOutAsTheyWentInAfterTheCommit) {
    Ring ring(1024);
    EXPECT_TRUE(put(ring, 1, "a"));
    EXPECT_TRUE(put(ring, 2, ""));
    EXPECT_TRUE(take(ring).empty());
    ring.commit();
    EXPECT_EQ(take(ring), (std::vector<std::string>{"1a", "2"}));
    EXPECT_TRUE(take(ring).empty());
}

TEST(RecordRing, HeaderMayBeWrittenUntilTheCommit) {
    Ring ring(1024);
    Number* const first = ring.append(0);
    EXPECT_TRUE(put(ring, 2, "b"));
    first->value = 7;
    ring.commit();
    EXPECT_EQ(take(ring), (std::vector<std::string>{"7", "2b"}));
}

TEST(RecordRing, FullRingRefusesAndGoesOnWhenThereIsRoom) {
    Ring ring(256);
    unsigned count = 0;
    while (put(ring, count, "12345678")) ++count;
    EXPECT_EQ(count, 256u / (8 + 8 + 8));
    ring.commit();
    EXPECT_EQ(take(ring, 1).size(), 1u);
    EXPECT_TRUE(put(ring, 99, "1"));
    ring.commit();
    const auto rest = take(ring);
    ASSERT_EQ(rest.size(), count);
    EXPECT_EQ(rest.back(), "991");
}

TEST(RecordRing, RecordsOfAllSizesPassTheEndInOnePiece) {
    Ring ring(512);
    uint64_t next = 0, seen = 0;
    for (size_t round = 0; round < 2000; ++round) {
        const std::string data(round * 7 % 180, static_cast<char>('a' + round % 26));
        if (put(ring, next, data)) ++next;
        if (round % 3 != 0) continue;
        ring.commit();
        ring.take(1 << 20, [&](const Number& number, const uint8_t* bytes, size_t count) {
            EXPECT_EQ(number.value, seen++);
            EXPECT_TRUE(
                std::all_of(bytes, bytes + count, [&](uint8_t each) { return each == bytes[0]; }));
        });
    }
    EXPECT_GT(seen, 1000u);
}

TEST(RecordRing, OneThreadWritesWhileAnotherReads) {
    Ring ring(4096);
    constexpr uint64_t kCount = 100'000;
    std::thread writer([&] {
        for (uint64_t i = 0; i < kCount;) {
            if (put(ring, i, std::string(i % 50, 'x'))) {
                ring.commit();
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    uint64_t seen = 0;
    bool is_right = true;
    while (seen < kCount) {
        ring.take(1 << 20, [&](const Number& number, const uint8_t*, size_t bytes) {
            is_right = is_right && number.value == seen && bytes == seen % 50;
            ++seen;
        });
    }
    writer.join();
    EXPECT_TRUE(is_right);
}

}  // namespace
}  // namespace podlane::dataplane
