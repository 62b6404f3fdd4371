#include "control/node/journal.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane::control {
namespace {

std::vector<std::string> names(const Journal::Page& page) {
    std::vector<std::string> out;
    for (const News& news : page.news) out.push_back(news.name);
    return out;
}

TEST(Journal, TellsWhatCameAfterACursor) {
    Journal journal(1000);
    EXPECT_EQ(journal.cursor(), 1000u);
    journal.add("services", NewsType::kAdded, "default/a");
    const uint64_t between = journal.cursor();
    journal.add("nodes", NewsType::kAdded, "node-b");
    journal.add("services", NewsType::kModified, "default/b");
    EXPECT_EQ(names(journal.after(1000, {"services"}, 9)),
              (std::vector<std::string>{"default/a", "default/b"}));
    EXPECT_EQ(names(journal.after(between, {"services", "nodes"}, 9)),
              (std::vector<std::string>{"node-b", "default/b"}));
    EXPECT_TRUE(journal.after(journal.cursor(), {"services"}, 9).news.empty());
}

TEST(Journal, AnItemIsToldOnceHoweverOftenItChanged) {
    Journal journal(0);
    journal.add("services", NewsType::kAdded, "default/a");
    for (int i = 0; i < 5; ++i) journal.add("services", NewsType::kModified, "default/a");
    journal.add("services", NewsType::kDeleted, "default/a");
    journal.add("events", NewsType::kAdded, "", "one");
    journal.add("events", NewsType::kAdded, "", "two");
    const auto page = journal.after(0, {"services", "events"}, 99);
    ASSERT_EQ(page.news.size(), 3u);
    EXPECT_EQ(page.news[0].type, NewsType::kDeleted);
    EXPECT_EQ(page.news[1].text, "one");
    EXPECT_EQ(page.news[2].text, "two");
}

TEST(Journal, ALimitIsGoneOnFromWhereItCut) {
    Journal journal(0);
    for (int i = 0; i < 5; ++i) journal.add("pods", NewsType::kAdded, std::to_string(i));
    uint64_t cursor = 0;
    std::vector<std::string> all;
    for (;;) {
        const auto page = journal.after(cursor, {"pods"}, 2);
        if (page.news.empty()) break;
        for (const std::string& name : names(page)) all.push_back(name);
        cursor = page.cursor;
    }
    EXPECT_EQ(all, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST(Journal, WhoFellBehindAndWhoIsFromAnotherTimeIsTold) {
    Journal journal(1000);
    EXPECT_TRUE(journal.reaches(1000));
    EXPECT_FALSE(journal.reaches(999));
    EXPECT_FALSE(journal.reaches(1001));
    for (size_t i = 0; i < Journal::kCapacity; ++i) journal.add("pods", NewsType::kAdded, "p");
    EXPECT_TRUE(journal.reaches(1000));
    journal.add("pods", NewsType::kAdded, "one too many");
    EXPECT_FALSE(journal.reaches(1000));
    EXPECT_TRUE(journal.reaches(1001));
}

}  // namespace
}  // namespace podlane::control
