#include "lib/persist/kept_memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>

#include "lib/persist/checksum.h"

namespace podlane {
namespace {

namespace fs = std::filesystem;

constexpr MemoryLayout kLayout{.kind = "numbers", .version = 3, .item_bytes = 8, .items = 1000};
/// Memory is reserved in pages of 2 MiB.
constexpr uint64_t kOfAHugePage = (uint64_t{2} << 20) / sizeof(uint64_t);

class KeptMemoryTest : public testing::Test {
  protected:
    KeptMemoryTest() {
        // In memory if there is such a file system: disks may lack fallocate().
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
    /// Why a file made as usual is refused for this layout.
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
    EXPECT_EQ(memory.reserved(), 1000u);
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
    EXPECT_EQ(refusal(other),
              path_ + " is refused, and made anew: its number of items is 1000, and this is 1001");
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

TEST_F(KeptMemoryTest, WhatIsCutOrOthersMayWriteIsRefused) {
    { numbers(open())[0] = 7; }
    fs::resize_file(path_, fs::file_size(path_) - 1);
    EXPECT_NE(open().note().find("its end is missing"), std::string::npos);
    fs::resize_file(path_, 100);
    EXPECT_NE(open().note().find("no such memory"), std::string::npos);
    fs::permissions(path_, fs::perms::group_write, fs::perm_options::add);
    EXPECT_NE(open().note().find("others may write it"), std::string::npos);
    EXPECT_TRUE(open().was_there());
    fs::rename(path_, folder_ + "/elsewhere");
    fs::create_symlink(folder_ + "/elsewhere", path_);
    EXPECT_FALSE(KeptMemory::open(path_, kLayout).ok());
}

TEST_F(KeptMemoryTest, WhatIsOfBeforeTheMachinesStartIsRefused) {
    { numbers(open())[0] = 7; }
    // As another boot would have written it: the id, and the checksum over it.
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    std::string header(104, '\0');
    file.read(header.data(), static_cast<std::streamsize>(header.size()));
    const size_t at = header.find(boot_id());
    ASSERT_NE(at, std::string::npos);
    header[at] = header[at] == '0' ? '1' : '0';
    const uint32_t sum = crc32c(std::as_bytes(std::span(header).subspan(12)));
    std::memcpy(header.data() + 8, &sum, sizeof sum);
    file.seekp(0);
    file.write(header.data(), static_cast<std::streamsize>(header.size()));
    file.close();
    const KeptMemory memory = open();
    EXPECT_FALSE(memory.was_there());
    EXPECT_NE(memory.note().find("before the machine's last start"), std::string::npos)
        << memory.note();
}

TEST_F(KeptMemoryTest, WhatTheFileDoesNotHaveCanBeThisProcessesAlone) {
    MemoryLayout layout = kLayout;
    layout.items = 1'000'000;
    {
        KeptMemory memory = open(layout);
        ASSERT_TRUE(memory.reserve(100));
        numbers(memory)[99] = 7;
        ASSERT_TRUE(memory.give_up_rest());
        numbers(memory)[999'999] = 8;
        EXPECT_EQ(memory.reserved(), kOfAHugePage);
    }
    const KeptMemory memory = open(layout);
    EXPECT_TRUE(memory.was_there());
    EXPECT_EQ(numbers(memory)[99], 7u);
    EXPECT_EQ(numbers(memory)[999'999], 0u);
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

TEST_F(KeptMemoryTest, WhatWasLeftIsReadWhateverItsNumberIs) {
    {
        KeptMemory memory = open();
        ASSERT_TRUE(memory.reserve(600));
        numbers(memory)[0] = 7;
        numbers(memory)[599] = 8;
    }
    MemoryLayout more = kLayout;
    more.items = 2000;
    const auto left = LeftMemory::open(path_, more);
    ASSERT_TRUE(left.ok()) << left.error().message;
    EXPECT_EQ(left->items(), 1000u);
    EXPECT_GE(left->used(), 600u);
    EXPECT_EQ(static_cast<const uint64_t*>(left->data())[599], 8u);
    // It stays readable when its file is recreated.
    EXPECT_FALSE(open(more).was_there());
    EXPECT_EQ(static_cast<const uint64_t*>(left->data())[0], 7u);
}

TEST_F(KeptMemoryTest, WhatIsOfNoUseToReadIsSaid) {
    EXPECT_FALSE(LeftMemory::open(path_, kLayout).ok()) << "there is none";
    { numbers(open())[0] = 7; }
    const auto why = [this](const MemoryLayout& layout) {
        const auto left = LeftMemory::open(path_, layout);
        return left.ok() ? "" : left.error().message.substr(path_.size() + 2);
    };
    EXPECT_EQ(why({.kind = "words", .version = 3, .item_bytes = 8, .items = 1000}),
              "it holds numbers");
    EXPECT_EQ(why({.kind = "numbers", .version = 4, .item_bytes = 8, .items = 1000}),
              "its version is 3, and this is 4");
    EXPECT_EQ(why({.kind = "numbers", .version = 3, .item_bytes = 16, .items = 1000}),
              "an item's bytes are 8, and this is 16");
    fs::resize_file(path_, fs::file_size(path_) - 4096);
    EXPECT_EQ(why(kLayout), "its end is missing");
    std::ofstream(path_) << "short";
    EXPECT_EQ(why(kLayout), "it is no such memory");
}

TEST_F(KeptMemoryTest, WhatNobodyHasTouchedIsNotCounted) {
    MemoryLayout layout = kLayout;
    layout.items = 1'000'000;
    KeptMemory memory = open(layout);
    ASSERT_TRUE(memory.reserve(500'000));
    ASSERT_EQ(memory.reserved(), 2 * kOfAHugePage);
    if (memory.touched() == memory.reserved()) GTEST_SKIP() << "it is in huge pages";
    EXPECT_EQ(memory.touched(), 0u);
    numbers(memory)[0] = 7;
    EXPECT_GE(memory.touched(), 1u);
    EXPECT_LT(memory.touched(), 300'000u);
    numbers(memory)[2 * kOfAHugePage - 1] = 8;
    EXPECT_EQ(memory.touched(), 2 * kOfAHugePage);
}

/// Bytes of the process's shared memory that are mapped by huge pages.
uint64_t in_huge_pages() {
    std::ifstream file("/proc/self/smaps_rollup");
    for (std::string word; file >> word;) {
        uint64_t kilobytes = 0;
        if (word == "ShmemPmdMapped:" && file >> kilobytes) return kilobytes << 10;
    }
    return 0;
}

TEST_F(KeptMemoryTest, IsInHugePagesAlsoForTheNextProcess) {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    std::string modes;
    std::getline(file, modes);
    utsname kernel{};
    ::uname(&kernel);
    if (modes.empty() || modes.find("[deny]") != std::string::npos ||
        ::strverscmp(kernel.release, "6.1") < 0 || !fs::exists("/dev/shm")) {
        GTEST_SKIP() << "the kernel does not do that here";
    }
    MemoryLayout layout = kLayout;
    layout.items = 2 * kOfAHugePage;
    std::optional<KeptMemory> memory(open(layout));
    const uint64_t before = in_huge_pages();
    ASSERT_TRUE(memory->reserve(1));
    numbers(*memory)[0] = 7;
    EXPECT_EQ(in_huge_pages() - before, kOfAHugePage * sizeof(uint64_t));
    memory.reset();
    memory.emplace(open(layout));
    EXPECT_EQ(numbers(*memory)[0], 7u);
    EXPECT_EQ(in_huge_pages() - before, kOfAHugePage * sizeof(uint64_t));
}

TEST_F(KeptMemoryTest, ItTakesThePlaceOfAnother) {
    { numbers(open())[0] = 7; }
    {
        auto beside = KeptMemory::open(path_ + ".next", kLayout);
        ASSERT_TRUE(beside.ok());
        numbers(*beside)[0] = 8;
        EXPECT_TRUE(beside->move_to(path_));
        EXPECT_FALSE(beside->move_to(folder_ + "/there/is/none"));
    }
    EXPECT_FALSE(fs::exists(path_ + ".next"));
    EXPECT_EQ(numbers(open())[0], 8u);
}

}  // namespace
}  // namespace podlane
