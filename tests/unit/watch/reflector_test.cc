// The reflector against answers of an API server, and against answers that none should give.
#include "control/watch/reflector.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/watch/resource.h"

namespace podlane::control {
namespace {

const Resource kServices{"Service", "v1", "/api/v1/services", ""};
const Resource kSecrets{"Secret", "v1", "/api/v1/secrets", "fieldSelector=x", true};

std::string object(const std::string& name, unsigned version, const std::string& uid = "u") {
    return fmt::format(
        R"({{"metadata":{{"name":"{}","namespace":"d","uid":"{}","resourceVersion":"{}"}},"spec":{{"v":{}}}}})",
        name, uid, version, version);
}
std::string event(const std::string& type, const std::string& name, unsigned version) {
    return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object(name, version));
}
std::string bookmark(unsigned version, bool ends_list = false) {
    return fmt::format(
        R"({{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"{}"{}}}}}}})"
        "\n",
        version, ends_list ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "");
}
std::string page(const std::vector<std::string>& items, unsigned version,
                 const std::string& next = "") {
    std::string text;
    for (const std::string& each : items) text += (text.empty() ? "" : ",") + each;
    return fmt::format(
        R"({{"kind":"ServiceList","metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
        version, next, text);
}
std::string error_event(unsigned code, const std::string& message) {
    return fmt::format(R"({{"type":"ERROR","object":{{"code":{},"message":"{}"}}}})"
                       "\n",
                       code, message);
}

class ReflectorTest : public ::testing::Test {
  protected:
    ReflectorHandlers handlers() {
        return {.on_list =
                    [this](std::vector<WatchedObject> all) {
                        ++lists;
                        objects.clear();
                        for (const auto& each : all) objects[each.name] = each.version;
                    },
                .on_change = [this](WatchedObject it) { objects[it.name] = it.version; },
                .on_delete = [this](const WatchedObject& it) { objects.erase(it.name); },
                .on_trouble = [this](const std::string& text) { troubles.push_back(text); }};
    }
    std::chrono::milliseconds answer(const std::string& body, unsigned status = 200,
                                     const std::string& error = "") {
        // In pieces that end anywhere, as they come from a socket.
        for (size_t at = 0; at < body.size(); at += 7)
            if (!reflector.on_data(status, std::string_view(body).substr(at, 7))) break;
        return reflector.on_end({.status = status, .error = error, .retry_after = retry_after});
    }
    void list_by_pages() {
        answer(error_event(500, "no watch list"));
        answer(page({object("a", 3), object("b", 5)}, 10));
        ASSERT_EQ(lists, 1u);
    }

    Reflector reflector{kServices, handlers(), 1};
    std::map<std::string, uint64_t> objects;
    std::vector<std::string> troubles;
    std::optional<std::chrono::seconds> retry_after;
    unsigned lists = 0;
    using Objects = std::map<std::string, uint64_t>;
};

TEST_F(ReflectorTest, AStreamedListIsWholeAtItsBookmarkAndGoesOnAsAWatch) {
    EXPECT_NE(reflector.next_target().find("sendInitialEvents=true"), std::string::npos);
    EXPECT_NE(reflector.next_target().find("resourceVersionMatch=NotOlderThan"), std::string::npos);
    const auto wait = answer(event("ADDED", "a", 3) + event("ADDED", "b", 5) + bookmark(10, true) +
                             event("MODIFIED", "a", 11));
    EXPECT_EQ(objects, (Objects{{"d/a", 11}, {"d/b", 5}}));
    EXPECT_EQ(lists, 1u);
    EXPECT_EQ(wait.count(), 0);
    EXPECT_NE(reflector.next_target().find("resourceVersion=11&"), std::string::npos);
    EXPECT_TRUE(reflector.has_synced());
}

TEST_F(ReflectorTest, AStreamedListThatEndsEarlyIsNoList) {
    EXPECT_GT(answer(event("ADDED", "a", 3)).count(), 0);
    EXPECT_EQ(lists, 0u);
    EXPECT_FALSE(reflector.has_synced());
}

TEST_F(ReflectorTest, AServerWithoutStreamedListsIsAskedForPages) {
    answer(error_event(500, "etcd is too old"));
    EXPECT_EQ(reflector.next_target(), "/api/v1/services?limit=500");
    answer(page({object("a", 3)}, 10, "more=="));
    EXPECT_EQ(reflector.next_target(), "/api/v1/services?limit=500&continue=more%3D%3D");
    EXPECT_EQ(lists, 0u) << "a page is not the list";
    answer(page({object("b", 4)}, 10));
    EXPECT_EQ(objects, (Objects{{"d/a", 3}, {"d/b", 4}}));
    EXPECT_EQ(reflector.next_target(),
              "/api/v1/services?watch=1&allowWatchBookmarks=true&resourceVersion=10"
              "&timeoutSeconds=290");
}

TEST_F(ReflectorTest, AServerThatRefusesTheRequestForAStreamIsAskedForPages) {
    answer(R"({"kind":"Status","message":"sendInitialEvents is forbidden"})", 422);
    EXPECT_FALSE(reflector.next_is_watch());
}

TEST_F(ReflectorTest, AnExpiredPageBeginsTheListAnew) {
    answer(error_event(500, ""));
    answer(page({object("a", 3)}, 10, "more"));
    answer(R"({"kind":"Status","message":"continue expired"})", 410);
    EXPECT_EQ(reflector.next_target(), "/api/v1/services?limit=500");
    answer(page({object("b", 4)}, 12));
    EXPECT_EQ(objects, (Objects{{"d/b", 4}})) << "nothing of the expired list is left";
}

TEST_F(ReflectorTest, AWatchThatExpiredListsAgain) {
    list_by_pages();
    answer(error_event(410, "too old resource version"));
    EXPECT_FALSE(reflector.next_is_watch());
    answer(page({object("b", 5)}, 20));
    EXPECT_EQ(objects, (Objects{{"d/b", 5}})) << "a is gone, though nobody said so";
}

TEST_F(ReflectorTest, AWatchThatIsCutGoesOnFromTheLastWholeEvent) {
    list_by_pages();
    const std::string half = event("ADDED", "c", 13).substr(0, 30);
    const auto wait = answer(event("ADDED", "x", 12) + half, 200, "connection reset");
    EXPECT_EQ(wait.count(), 0);
    EXPECT_EQ(lists, 1u);
    EXPECT_NE(reflector.next_target().find("resourceVersion=12&"), std::string::npos);
    answer(event("ADDED", "c", 13));
    EXPECT_EQ(objects.count("d/c"), 1u);
}

TEST_F(ReflectorTest, BookmarksMoveTheVersionAndNothingElse) {
    list_by_pages();
    answer(bookmark(99));
    EXPECT_NE(reflector.next_target().find("resourceVersion=99&"), std::string::npos);
    EXPECT_EQ(objects.size(), 2u);
}

TEST_F(ReflectorTest, ARepeatedEventChangesNothing) {
    list_by_pages();
    answer(event("MODIFIED", "a", 11) + event("MODIFIED", "a", 11) + event("DELETED", "b", 12) +
           event("DELETED", "b", 12) + event("MODIFIED", "a", 11));
    EXPECT_EQ(objects, (Objects{{"d/a", 11}}));
    EXPECT_TRUE(reflector.next_is_watch());
    EXPECT_NE(reflector.next_target().find("resourceVersion=12&"), std::string::npos);
}

TEST_F(ReflectorTest, EventsOutOfOrderAreMendedByAList) {
    list_by_pages();
    answer(event("MODIFIED", "a", 12) + event("ADDED", "c", 11));
    EXPECT_FALSE(reflector.next_is_watch());
    EXPECT_EQ(objects.count("d/c"), 0u);
}

TEST_F(ReflectorTest, AListOlderThanWhatWasSeenIsNotBelievedUnlessItStaysSo) {
    list_by_pages();
    answer(event("ADDED", "c", 50));
    answer(error_event(410, ""));
    for (int i = 0; i < 5; ++i) {
        EXPECT_GT(answer(page({object("a", 3)}, 40)).count(), 0);
        EXPECT_EQ(objects.count("d/c"), 1u) << "a replica that lags does not take c away";
    }
    answer(page({object("a", 3)}, 40));
    EXPECT_EQ(objects, (Objects{{"d/a", 3}})) << "a cluster restored from a backup";
}

TEST_F(ReflectorTest, GarbageIsNoEventAndNoList) {
    list_by_pages();
    EXPECT_GT(answer("<html>not a cluster</html>\n").count(), 0);
    EXPECT_GT(answer("<html>not a cluster</html>").count(), 0);
    EXPECT_GT(answer(R"({"metadata":{}})").count(), 0);
    EXPECT_GT(answer(page({R"({"metadata":{}})"}, 60)).count(), 0);
    EXPECT_EQ(objects.size(), 2u) << "what is known stays";
    EXPECT_EQ(lists, 1u);
    answer(page({object("a", 61)}, 61));
    EXPECT_EQ(objects, (Objects{{"d/a", 61}}));
}

TEST_F(ReflectorTest, AServerThatIsBusySaysHowLongToWait) {
    retry_after = std::chrono::seconds(7);
    EXPECT_GE(answer(R"({"message":"too many requests"})", 429), std::chrono::seconds(7));
    retry_after = std::chrono::hours(10);
    EXPECT_LE(answer("", 429), std::chrono::seconds(30)) << "nobody makes us wait for ever";
}

TEST_F(ReflectorTest, WaitsGrowWhileNothingWorksAndEndAtHalfAMinute) {
    std::chrono::milliseconds last{0};
    for (int i = 0; i < 12; ++i) last = answer("", 500);
    EXPECT_GE(last, std::chrono::seconds(15));
    EXPECT_LE(last, std::chrono::seconds(30));
    answer("", 422);
    answer(page({}, 10));
    EXPECT_LE(answer("", 0, "refused"), std::chrono::milliseconds(200)) << "a success resets it";
}

TEST_F(ReflectorTest, ASilentWatchIsNotAskedForInATightLoop) {
    list_by_pages();
    EXPECT_GT(answer("").count(), 0);
    EXPECT_TRUE(reflector.next_is_watch()) << "but nothing is lost by it";
}

TEST_F(ReflectorTest, AnOptionalKindThatIsRefusedCountsAsEmpty) {
    Reflector secrets(kSecrets, handlers(), 1);
    EXPECT_EQ(secrets.next_target().find("&fieldSelector=x") != std::string::npos, true);
    const auto wait = secrets.on_end({.status = 403, .error = "", .retry_after = {}});
    EXPECT_TRUE(secrets.has_synced());
    EXPECT_EQ(lists, 1u);
    EXPECT_EQ(wait, std::chrono::seconds(60));
    EXPECT_EQ(troubles.size(), 1u);
    (void)secrets.on_end({.status = 403, .error = "", .retry_after = {}});
    EXPECT_EQ(troubles.size(), 1u) << "told once, not every minute";
    (void)secrets.on_end({.status = 404, .error = "", .retry_after = {}});
    EXPECT_EQ(troubles.size(), 2u);
    answer(R"({"message":"forbidden"})", 403);
    EXPECT_FALSE(reflector.has_synced()) << "Services are not optional";
}

TEST(WatchedResources, FollowEachKindOnce) {
    std::set<std::string_view> kinds;
    for (const Resource& each : watched_resources()) EXPECT_TRUE(kinds.insert(each.kind).second);
    for (const char* kind : {"Node", "Pod", "Service", "EndpointSlice", "NetworkPolicy", "Ingress",
                             "Namespace", "IngressClass", "Secret"})
        EXPECT_TRUE(kinds.contains(kind)) << kind;
}

}  // namespace
}  // namespace podlane::control
