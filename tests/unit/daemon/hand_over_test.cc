// Both ends of an upgrade in place, one of them on its own thread, with a fake dataplane.
#include "control/daemon/hand_over.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "control/daemon/take_over.h"
#include "control/rpc/client.h"
#include "control/rpc/server.h"
#include "tests/support/fake_dataplane.h"

namespace podlane::control {
namespace {

std::string scratch_folder() {
    std::string name = "/tmp/hand-over-XXXXXX";
    const char* const made = ::mkdtemp(name.data());
    return made != nullptr ? made : "/tmp";
}

class HandOverTest : public testing::Test {
  protected:
    HandOverTest() {
        EXPECT_EQ(::pipe(pipe_), 0);
        methods_.add("apply", [](RpcRequest&) { return RpcResult(nlohmann::ordered_json(true)); });
        methods_.add("get", [](RpcRequest&) { return RpcResult(nlohmann::ordered_json(true)); });
        hand_over_.add_to(methods_);
        EXPECT_TRUE(server_.start().ok());
        thread_ = std::thread([this] { io_.run(); });
    }
    ~HandOverTest() override {
        boost::asio::post(io_, [this] { io_.stop(); });
        thread_.join();
        std::filesystem::remove_all(folder_);
        ::close(pipe_[0]);
        ::close(pipe_[1]);
    }
    std::string socket() const { return folder_ + "/socket"; }
    Result<nlohmann::ordered_json> call(const char* method) {
        auto client = RpcClient::connect(socket());
        return client->call(method);
    }
    /// Runs the question on the daemon's thread.
    template <class Ask>
    auto ask(Ask question) {
        std::promise<decltype(question())> answer;
        boost::asio::post(io_, [&] { answer.set_value(question()); });
        return answer.get_future().get();
    }
    std::string next_news() {
        auto news = news_.get_future();
        if (news.wait_for(std::chrono::seconds(5)) != std::future_status::ready) return "none";
        return news.get();
    }

    const std::string folder_ = scratch_folder();
    int pipe_[2] = {};
    FakeDataplane dataplane_;
    std::string obstacle_;
    std::promise<std::string> news_;
    boost::asio::io_context io_{1};
    RpcMethods methods_;
    RpcServer server_{io_, methods_, {.path = folder_ + "/socket"}};
    HandOver hand_over_{io_,
                        {.dataplane = dataplane_,
                         .taps =
                             [this] {
                                 return std::vector<HandedTap>{
                                     {"/run/netns/web", "eth0", {pipe_[0], pipe_[1]}},
                                     {"", "podlane0", {pipe_[0]}}};
                             },
                         .programs =
                             [this] {
                                 return std::vector<HandedProgram>{{"eth1", pipe_[1]}};
                             },
                         .obstacle = [this] { return obstacle_; },
                         .done = [this] { news_.set_value("done"); },
                         .failed = [this](const std::string& why, bool) { news_.set_value(why); }}};
    std::thread thread_;
};

TEST_F(HandOverTest, AllGoesOverAndTheOtherOneEnds) {
    auto next = TakeOver::begin(socket(), 1);
    ASSERT_TRUE(next.ok()) << next.error().message;
    EXPECT_FALSE(next->version().empty());
    auto taps = next->take_taps();
    ASSERT_EQ(taps.size(), 2u);
    EXPECT_EQ((taps[{"/run/netns/web", "eth0"}].size()), 2u);
    EXPECT_EQ((taps[{"", "podlane0"}].size()), 1u);
    EXPECT_TRUE(next->take_program("eth1").valid());
    EXPECT_FALSE(next->take_program("eth1").valid());
    EXPECT_TRUE(call("get").ok());
    EXPECT_NE(call("apply").error().message.find("try again"), std::string::npos);
    EXPECT_TRUE(ask([this] { return hand_over_.is_under_way(); }));
    ASSERT_TRUE(next->rest().ok());
    EXPECT_TRUE(dataplane_.rests);
    next->set_forwarding();
    EXPECT_GT(next->away_ms(), 0);
    ASSERT_TRUE(next->done().ok());
    EXPECT_EQ(next_news(), "done");
    EXPECT_TRUE(dataplane_.rests) << "nobody forwards but the next one";
}

TEST_F(HandOverTest, WhereTheNextOneEndsWorkersGoOnAndChangesAreTaken) {
    {
        auto next = TakeOver::begin(socket(), 1);
        ASSERT_TRUE(next.ok()) << next.error().message;
        ASSERT_TRUE(next->rest().ok());
    }
    EXPECT_EQ(next_news(), "it has ended");
    EXPECT_FALSE(dataplane_.rests);
    EXPECT_TRUE(call("apply").ok());
    news_ = {};
    auto again = TakeOver::begin(socket(), 1);
    EXPECT_TRUE(again.ok()) << again.error().message;
}

TEST_F(HandOverTest, AWorkerThatStandsStillIsTold) {
    dataplane_.can_rest = false;
    auto next = TakeOver::begin(socket(), 1);
    ASSERT_TRUE(next.ok()) << next.error().message;
    EXPECT_EQ(next->rest().error().message, "a worker stands still");
    EXPECT_EQ(next_news(), "a worker stands still");
    EXPECT_TRUE(call("apply").ok());
}

TEST_F(HandOverTest, WhatCannotBeIsRefusedAndChangesNothing) {
    obstacle_ = "nothing outlives the process";
    const auto refused = TakeOver::begin(socket(), 1);
    EXPECT_NE(refused.error().message.find(obstacle_), std::string::npos);
    obstacle_.clear();
    auto client = RpcClient::connect(socket());
    const auto old = client->call("handover", {{"path", "/x"}, {"form", 0}});
    EXPECT_NE(old.error().message.find("its form is 0"), std::string::npos) << old.error().message;
    EXPECT_TRUE(call("apply").ok());
    auto next = TakeOver::begin(socket(), 1);
    ASSERT_TRUE(next.ok());
    EXPECT_NE(TakeOver::begin(socket(), 1).error().message.find("already"), std::string::npos);
}

TEST_F(HandOverTest, OtherWorkersAreNoneOfItsQueues) {
    const auto next = TakeOver::begin(socket(), 2);
    EXPECT_NE(next.error().message.find("workers: 2"), std::string::npos) << next.error().message;
    // It has ended by the time the last queue is sent, or just after that.
    const std::string news = next_news();
    EXPECT_TRUE(news == "it has ended" || news.find("send") != std::string::npos) << news;
}

TEST_F(HandOverTest, NobodyListensWhereItIsToConnect) {
    auto client = RpcClient::connect(socket());
    const auto agreed =
        client->call("handover", {{"path", folder_ + "/none"}, {"form", kHandOverForm}});
    EXPECT_TRUE(agreed.ok());
    EXPECT_NE(next_news().find("/none"), std::string::npos);
    EXPECT_TRUE(call("apply").ok());
}

TEST_F(HandOverTest, ItsLogIsTheOthersFromThenOn) {
    auto next = TakeOver::begin(socket(), 1);
    ASSERT_TRUE(next.ok()) << next.error().message;
    const int out = ::dup(STDOUT_FILENO), err = ::dup(STDERR_FILENO);
    next->take_log();
    struct stat ours {};
    struct stat theirs {};
    EXPECT_EQ(::fstat(err, &theirs), 0);
    EXPECT_EQ(::fstat(STDOUT_FILENO, &ours), 0);
    ::dup2(out, STDOUT_FILENO);
    ::close(out);
    ::close(err);
    EXPECT_EQ(ours.st_ino, theirs.st_ino);
}

TEST(TakeOver, WhereNobodyRunsThereIsNothingToTakeOver) {
    EXPECT_FALSE(TakeOver::begin("/tmp/podlane-nobody.sock", 1).ok());
}

}  // namespace
}  // namespace podlane::control
