#include "control/document/value.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace podlane::control {
namespace {

TEST(Arena, GivesAlignedMemoryThatDoesNotOverlap) {
    Arena arena;
    auto* first = static_cast<std::byte*>(arena.allocate(3));
    auto* second = static_cast<std::byte*>(arena.allocate(5));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % alignof(std::max_align_t), 0U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % alignof(std::max_align_t), 0U);
    EXPECT_TRUE(second >= first + 3 || second + 5 <= first);
}

TEST(Arena, ReusesWhatIsReleased) {
    Arena arena;
    (void)arena.copy("something that stays");
    const Arena::Mark mark = arena.mark();
    (void)arena.allocate(3 << 20);
    const size_t held = arena.held_bytes();
    for (int i = 0; i < 100; ++i) {
        arena.release(mark);
        (void)arena.allocate(1 << 20);
        (void)arena.allocate(1 << 19);
    }
    EXPECT_LE(arena.held_bytes(), 2 * held);
}

TEST(Arena, KeepsTextBeyondOneBlock) {
    Arena arena;
    const std::string large(2 << 20, 'x');
    EXPECT_EQ(arena.copy("small"), "small");
    EXPECT_EQ(arena.copy(large), large);
}

TEST(Value, FindsAMemberByItsKey) {
    const std::array members{Member{Value::scalar(ValueType::kString, "port", 1, 1),
                                    Value::scalar(ValueType::kInteger, "80", 1, 7)}};
    const Value mapping = Value::mapping(members, 1, 1);
    ASSERT_NE(mapping.find("port"), nullptr);
    EXPECT_EQ(mapping.find("port")->text(), "80");
    EXPECT_EQ(mapping.find("por"), nullptr);
}

TEST(Value, HasNothingOfAnotherType) {
    const Value text = Value::scalar(ValueType::kString, "abc", 2, 3);
    EXPECT_TRUE(text.items().empty());
    EXPECT_TRUE(text.members().empty());
    EXPECT_EQ(text.find("abc"), nullptr);
    EXPECT_TRUE(Value().text().empty());
    EXPECT_TRUE(Value().is_null());
}

}  // namespace
}  // namespace podlane::control
