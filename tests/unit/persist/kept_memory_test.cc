#include "lib/persist/kept_memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace podlane {
namespace {

namespace fs = std::filesystem;

constexpr MemoryLayout kLayout{.kind = "numbers", .version = 3, .item_bytes = 8, .items = 1000};

class KeptMemoryTest : public testing::Test {
  protected:
    KeptMemoryTest() {
        // Its own kind of file system where there is one: disks may lack fallocate().
        std::string name =
            (fs::exists("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/kept-memory-XXXXXX");
        folder_ = ::mkdtemp(name.data());
        path_ = folder_ + "/numbers";
    }
    ~KeptMemoryTest() override { fs::remove_all(folder_); }

    KeptMemory open(const MemoryLayout& layout = kLayout) const {
        auto memory = KeptMemory::open(path_, layout);
        if (!memory.ok()) throw std::runtime_error(memory.error().message);
        return std::move(memory).value();
    }
    static uint64_t* numbers(const KeptMemory& memory) {
        return static_cast<uint64_t*>(memory.data());
    }
    /// Why a file that was made as usual is refused for this layout.
    std::string refusal(const MemoryLayout& layout) const {
        fs::remove(path_);
        { numbers(open())[0] = 7; }
        const KeptMemory memory = open(layout);
        EXPECT_FALSE(memory.was_there());
        EXPECT_EQ(numbers(memory)[0], 0u);
        return memory.note();
    }

    std::string folder_;
    std::string path_;
};

TEST_F(KeptMemoryTest, IsZerosAtFirstAndThenWhatWasLeft) {
    {
        KeptMemory memory = open();
        EXPECT_FALSE(memory.was_there());
        EXPECT_EQ(memory.note(), "");
        EXPECT_EQ(memory.bytes(), 8000u);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 4096, 0u);
        ASSERT_TRUE(memory.reserve(500));
        EXPECT_EQ(numbers(memory)[499], 0u);
        numbers(memory)[499] = 42;
    }
    const KeptMemory memory = open();
    EXPECT_TRUE(memory.was_there());
    EXPECT_EQ(memory.reserved(), 500u);
    EXPECT_EQ(numbers(memory)[499], 42u);
}

TEST_F(KeptMemoryTest, WhatDoesNotFitIsRefusedWithTheReason) {
    MemoryLayout other = kLayout;
    other.kind = "letters";
    EXPECT_EQ(refusal(other), path_ + " is refused, and made anew: it holds numbers");
    other = kLayout;
    other.version = 4;
    EXPECT_EQ(refusal(other),
              path_ + " is refused, and made anew: its version is 3, and this is 4");
    other = kLayout;
    other.item_bytes = 16;
    other.items = 500;
    EXPECT_EQ(refusal(other),
              path_ + " is refused, and made anew: an item's bytes are 8, and this is 16");
    other = kLayout;
    other.items = 1001;
    EXPECT_NE(refusal(other).find("its size is "), std::string::npos);
}

TEST_F(KeptMemoryTest, ADamagedHeaderIsRefused) {
    { (void)open(); }
    for (const std::streamoff at : {0, 9, 13, 30, 70}) {
        {
            std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(at);
            file.put('\x5a');
        }
        const KeptMemory memory = open();
        EXPECT_FALSE(memory.was_there()) << at;
        EXPECT_NE(memory.note().find("no such memory"), std::string::npos) << memory.note();
    }
}

TEST_F(KeptMemoryTest, BelongsToOneProcessAtATime) {
    std::optional<KeptMemory> memory(open());
    const auto second = KeptMemory::open(path_, kLayout);
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find(path_ + ": cannot be locked"), std::string::npos);
    memory.reset();
    EXPECT_TRUE(open().was_there());
}

TEST_F(KeptMemoryTest, ReservesUpToItsItemsAndIsRemoved) {
    KeptMemory memory = open();
    EXPECT_EQ(memory.reserved(), 0u);
    EXPECT_TRUE(memory.reserve(10'000));
    EXPECT_EQ(memory.reserved(), 1000u);
    memory.remove();
    numbers(memory)[999] = 1;
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST(BootId, IsTheKernels) {
    EXPECT_EQ(boot_id().size(), 36u);
}

}  // namespace
}  // namespace podlane
