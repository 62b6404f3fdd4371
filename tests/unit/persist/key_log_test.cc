#include "lib/persist/key_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>

#include "lib/persist/checksum.h"

namespace podlane {
namespace {

namespace fs = std::filesystem;

class KeyLogTest : public testing::Test {
  protected:
    KeyLogTest() {
        std::string name = (fs::temp_directory_path() / "key-log-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        path_ = folder_ + "/journal";
    }
    ~KeyLogTest() override { fs::remove_all(folder_); }

    KeyLog open(uint32_t format = 1) const { return KeyLog::open(path_, format); }
    std::string contents() const {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void put(std::string_view bytes) const {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    }

    std::string folder_;
    std::string path_;
};

TEST(Checksum, IsTheOneOfRfc3720) {
    const std::string zeros(32, '\0');
    EXPECT_EQ(crc32c(std::as_bytes(std::span(zeros))), 0x8a9136aaU);
    const std::string digits = "123456789";
    const auto bytes = std::as_bytes(std::span(digits));
    EXPECT_EQ(crc32c(bytes), 0xe3069283U);
    EXPECT_EQ(crc32c(bytes.subspan(4), crc32c(bytes.first(4))), 0xe3069283U);
}

TEST_F(KeyLogTest, WhatWasCommittedIsThereAgain) {
    {
        KeyLog log = open();
        ASSERT_TRUE(log.commit({{"a", "1"}, {"b", ""}, {"c", "3"}}).ok());
        ASSERT_TRUE(log.commit({{"c", std::nullopt}, {"a", "one"}, {"x", std::nullopt}}).ok());
        EXPECT_FALSE(log.is_behind());
    }
    const KeyLog log = open();
    EXPECT_EQ(log.values(), (KeyLog::Values{{"a", "one"}, {"b", ""}}));
    EXPECT_EQ(log.note(), "");
}

TEST_F(KeyLogTest, OfARecordThatIsCutAnywhereNothingRemains) {
    std::string before, after;
    {
        KeyLog log = open();
        ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
        before = contents();
        ASSERT_TRUE(log.commit({{"a", "2"}, {"b", "2"}}).ok());
        after = contents();
    }
    for (size_t length = before.size(); length < after.size(); ++length) {
        put(after.substr(0, length));
        {
            KeyLog log = open();
            EXPECT_EQ(log.values(), (KeyLog::Values{{"a", "1"}})) << length;
            EXPECT_EQ(log.note().empty(), length == before.size());
            ASSERT_TRUE(log.commit({{"c", "3"}}).ok());
        }
        EXPECT_EQ(open().values(), (KeyLog::Values{{"a", "1"}, {"c", "3"}})) << length;
    }
}

TEST_F(KeyLogTest, AByteThatIsWrongEndsWhatIsBelieved) {
    std::string before, whole;
    {
        KeyLog log = open();
        ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
        before = contents();
        ASSERT_TRUE(log.commit({{"b", "22"}}).ok());
        whole = contents();
    }
    for (size_t at = before.size(); at < whole.size(); ++at) {
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        put(bad);
        EXPECT_EQ(open().values(), (KeyLog::Values{{"a", "1"}})) << at;
    }
}

TEST_F(KeyLogTest, AnotherFormatOrAnotherFileIsPutAside) {
    { ASSERT_TRUE(open(1).commit({{"a", "1"}}).ok()); }
    const KeyLog log = open(2);
    EXPECT_TRUE(log.values().empty());
    EXPECT_EQ(log.note(), path_ + " is refused: its format is 1, and this is 2; it is now " +
                              path_ + ".refused");
    for (const std::string_view text : {"", "short", "this is something else, but long enough"}) {
        put(text);
        const KeyLog made = open();
        EXPECT_TRUE(made.values().empty());
        EXPECT_NE(made.note().find(" is refused: "), std::string::npos) << text;
    }
}

TEST_F(KeyLogTest, AFolderThatVanishesIsNoticedAndMadeAgain) {
    KeyLog log = open();
    ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
    fs::remove_all(folder_);
    (void)log.commit({{"b", "2"}});
    EXPECT_TRUE(log.is_behind());
    ASSERT_TRUE(log.rewrite().ok());
    EXPECT_FALSE(log.is_behind());
    EXPECT_EQ(open().values(), (KeyLog::Values{{"a", "1"}, {"b", "2"}}));
}

TEST_F(KeyLogTest, WhereNoFolderCanBeItIsBehindAndSaysWhy) {
    std::ofstream(folder_ + "/file") << "x";
    KeyLog log = KeyLog::open(folder_ + "/file/journal", 1);
    EXPECT_TRUE(log.is_behind());
    EXPECT_NE(log.note().find("/file/journal: cannot be "), std::string::npos) << log.note();
    EXPECT_FALSE(log.commit({{"a", "1"}}).ok());
    fs::remove(folder_ + "/file");
    ASSERT_TRUE(log.rewrite().ok());
    EXPECT_EQ(KeyLog::open(folder_ + "/file/journal", 1).values().size(), 1u);
}

TEST_F(KeyLogTest, WithoutRoomItIsBehindUntilThereIsSome) {
    KeyLog log = open();
    ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit usual{};
    getrlimit(RLIMIT_FSIZE, &usual);
    rlimit small = usual;
    small.rlim_cur = contents().size() + 20;  // less than the record: half of it is written
    setrlimit(RLIMIT_FSIZE, &small);
    const auto full = log.commit({{"b", std::string(100, 'b')}});
    const auto rewritten = log.rewrite();
    setrlimit(RLIMIT_FSIZE, &usual);
    ASSERT_FALSE(full.ok());
    EXPECT_NE(full.error().message.find(path_ + ": cannot be written: "), std::string::npos);
    EXPECT_FALSE(rewritten.ok());
    EXPECT_FALSE(fs::exists(path_ + ".new"));
    EXPECT_EQ(open().values(), (KeyLog::Values{{"a", "1"}})) << "the file was whole";
    EXPECT_FALSE(log.commit({{"c", "3"}}).ok()) << "a later change without the one before it";
    EXPECT_TRUE(log.is_behind());
    ASSERT_TRUE(log.rewrite().ok());
    EXPECT_EQ(open().values(), log.values());
    EXPECT_EQ(log.values().size(), 3u);
}

TEST_F(KeyLogTest, HistoryIsDroppedWhenItIsMostOfTheFile) {
    KeyLog log = open();
    const std::string value(10'000, 'v');
    unsigned changes = 0;
    for (; !log.is_long() && changes < 1000; ++changes) {
        ASSERT_TRUE(log.commit({{"k" + std::to_string(changes % 10), value}}).ok());
    }
    EXPECT_GT(changes, 100u);
    EXPECT_LT(changes, 150u);
    ASSERT_TRUE(log.rewrite().ok());
    EXPECT_FALSE(log.is_long());
    EXPECT_LT(contents().size(), 110'000u);
    ASSERT_TRUE(log.commit({{"last", "1"}}).ok());
    EXPECT_EQ(open().values(), log.values());
}

TEST_F(KeyLogTest, SyncSucceedsAndRemoveLeavesNothing) {
    KeyLog log = open();
    ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
    EXPECT_TRUE(log.sync().ok());
    EXPECT_TRUE(log.sync().ok());
    log.remove();
    EXPECT_TRUE(log.commit({{"b", "1"}}).ok());
    EXPECT_FALSE(log.is_behind());
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(KeyLogTest, AWriterThatIsKilledLosesNothingThatItWasToldIsThere) {
    std::mt19937 random(std::random_device{}());
    std::array<int, 2> told{};
    ASSERT_EQ(::pipe(told.data()), 0);
    uint32_t last = 0;
    for (int round = 0; round < 20; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto log = KeyLog::open(path_, 1);
            for (uint32_t number = last + 1;; ++number) {
                const std::string text = std::to_string(number);
                if (!log.commit({{"number", text}, {"k" + std::to_string(number % 50), text}})) {
                    break;
                }
                if (log.is_long()) (void)log.rewrite();
                (void)!::write(told[1], &number, sizeof(number));
            }
            ::_exit(1);
        }
        const uint32_t before = last;
        const auto enough = static_cast<uint32_t>(random() % 500 + 1);
        while (last < before + enough) {
            ASSERT_EQ(::read(told[0], &last, sizeof(last)), static_cast<ssize_t>(sizeof(last)));
        }
        ::kill(child, SIGKILL);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        ASSERT_EQ(::fcntl(told[0], F_SETFL, O_NONBLOCK), 0);
        while (::read(told[0], &last, sizeof(last)) > 0) {
        }
        ASSERT_EQ(::fcntl(told[0], F_SETFL, 0), 0);
        const KeyLog log = open();
        const auto number = static_cast<uint32_t>(std::stoul(log.values().at("number")));
        EXPECT_GE(number, last);
        EXPECT_LE(number, last + 1) << "one may be there that nobody was told of";
        EXPECT_EQ(log.values().at("k" + std::to_string(number % 50)), std::to_string(number));
        last = number;
    }
    ::close(told[0]);
    ::close(told[1]);
}

TEST_F(KeyLogTest, ALookChangesNothing) {
    {
        KeyLog log = KeyLog::open(path_, 1);
        ASSERT_TRUE(log.commit({{"a", "1"}}).ok());
    }
    std::ofstream(path_, std::ios::app) << "half a record";
    const auto bytes = std::filesystem::file_size(path_);
    const auto seen = KeyLog::look(path_, 1);
    ASSERT_TRUE(seen.ok()) << seen.error().message;
    EXPECT_EQ(seen->at("a"), "1");
    EXPECT_EQ(std::filesystem::file_size(path_), bytes);
    EXPECT_NE(KeyLog::look(path_, 2).error().message.find("its format is 1"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(path_)) << "it is not put aside";
    EXPECT_FALSE(KeyLog::look(path_ + "x", 1).ok());
}

}  // namespace
}  // namespace podlane
