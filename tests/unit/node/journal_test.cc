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
    journal.add({.kind = "services", .type = NewsType::kAdded, .name = "default/a"});
    const uint64_t between = journal.cursor();
    journal.add({.kind = "nodes", .type = NewsType::kAdded, .name = "node-b"});
    journal.add({.kind = "services", .type = NewsType::kModified, .name = "default/b"});
    EXPECT_EQ(names(journal.after(1000, {"services"}, 9)),
              (std::vector<std::string>{"default/a", "default/b"}));
    EXPECT_EQ(names(journal.after(between, {"services", "nodes"}, 9)),
              (std::vector<std::string>{"node-b", "default/b"}));
    EXPECT_TRUE(journal.after(journal.cursor(), {"services"}, 9).news.empty());
}

TEST(Journal, AnItemIsToldOnceHoweverOftenItChanged) {
    Journal journal(0);
    journal.add({.kind = "services", .type = NewsType::kAdded, .name = "default/a"});
    for (int i = 0; i < 5; ++i)
        journal.add({.kind = "services", .type = NewsType::kModified, .name = "default/a"});
    journal.add({.kind = "services", .type = NewsType::kDeleted, .name = "default/a"});
    journal.add({.kind = kEventNews, .text = "one"});
    journal.add({.kind = kEventNews, .text = "two"});
    const auto page = journal.after(0, {"services", "events"}, 99);
    ASSERT_EQ(page.news.size(), 3u);
    EXPECT_EQ(page.news[0].type, NewsType::kDeleted);
    EXPECT_EQ(page.news[1].text, "one");
    EXPECT_EQ(page.news[2].text, "two");
}

TEST(Journal, ALimitIsGoneOnFromWhereItCut) {
    Journal journal(0);
    for (int i = 0; i < 5; ++i)
        journal.add({.kind = "pods", .type = NewsType::kAdded, .name = std::to_string(i)});
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
    for (size_t i = 0; i < Journal::kCapacity; ++i)
        journal.add({.kind = "pods", .type = NewsType::kAdded, .name = "p"});
    EXPECT_TRUE(journal.reaches(1000));
    journal.add({.kind = "pods", .type = NewsType::kAdded, .name = "one too many"});
    EXPECT_FALSE(journal.reaches(1000));
    EXPECT_TRUE(journal.reaches(1001));
}

News change(const char* name, uint64_t time_ms, const char* by = "kube") {
    return {.kind = "services",
            .type = NewsType::kModified,
            .name = name,
            .text = "changed",
            .by = by,
            .time_ms = time_ms};
}

TEST(JournalHistory, TheNewestThatFitAreToldOldestFirstAndOthersCounted) {
    Journal journal(1000);
    journal.add(change("shop/a", 100));
    journal.add(change("shop/b", 200, "operator"));
    journal.add({.kind = "frontends", .name = "shop/a"});
    journal.add({.kind = "endpointslices",
                 .type = NewsType::kAdded,
                 .name = "shop/a-1",
                 .text = "added: +10.244.1.7:80",
                 .about = "shop/a",
                 .time_ms = 300});
    journal.add(change("other/a", 400));
    journal.add({.kind = kEventNews, .text = "its link is down", .topic = "links", .time_ms = 500});
    const auto told = [&](const NewsFilter& filter, size_t limit = 99) {
        std::vector<uint64_t> times;
        for (const News& news : journal.newest(filter, limit).events) times.push_back(news.time_ms);
        return times;
    };
    using Times = std::vector<uint64_t>;
    EXPECT_EQ(told({}), (Times{100, 200, 300, 400, 500})) << "what has no text is for programs";
    EXPECT_EQ(told({}, 2), (Times{400, 500}));
    EXPECT_EQ(journal.newest({}, 2).left_out, 3u);
    EXPECT_EQ(journal.newest({}, 2).cursor, journal.cursor());
    EXPECT_EQ(told({.kinds = {"links"}}), Times{500});
    EXPECT_EQ(told({.kinds = {"events"}}), Times{}) << "known by its topic";
    EXPECT_EQ(told({.name = "shop/a"}), (Times{100, 300})) << "its endpoints as well";
    EXPECT_EQ(told({.name = "shop/"}), (Times{100, 200, 300}));
    EXPECT_EQ(told({.by = "operator"}), Times{200});
    EXPECT_EQ(told({.since_ms = 200, .until_ms = 400}), (Times{200, 300}));
}

TEST(JournalHistory, AReaderGoesOnFromItsCursor) {
    Journal journal(1000);
    for (uint64_t i = 1; i <= 5; ++i) journal.add(change("shop/a", i));
    History first = journal.history_after(1000, {}, 3);
    EXPECT_EQ(first.events.size(), 3u);
    EXPECT_EQ(first.events.back().time_ms, 3u);
    const History rest = journal.history_after(first.cursor, {}, 3);
    EXPECT_EQ(rest.events.size(), 2u);
    EXPECT_FALSE(rest.is_torn);
    EXPECT_EQ(rest.cursor, journal.cursor());
    EXPECT_TRUE(journal.history_after(rest.cursor, {}, 3).events.empty());
    EXPECT_TRUE(journal.history_after(rest.cursor + 1, {}, 3).is_torn) << "of another process";
}

TEST(JournalHistory, BytesAreBoundedAsWellAsNumber) {
    Journal journal(0);
    EXPECT_EQ(journal.newest({}, 1).kept_from_ms, 0u);
    const std::string long_text(10'000, 'x');
    const size_t most = Journal::kMostBytes / long_text.size();
    for (uint64_t i = 1; i <= most + 10; ++i) {
        News news = change("shop/a", i);
        news.text = long_text;
        journal.add(std::move(news));
    }
    const History all = journal.newest({}, Journal::kCapacity);
    EXPECT_LT(all.events.size(), most);
    EXPECT_GT(all.events.size(), most * 9 / 10);
    EXPECT_EQ(all.kept_from_ms, all.events.front().time_ms);
    EXPECT_FALSE(journal.reaches(0));
}

}  // namespace
}  // namespace podlane::control
