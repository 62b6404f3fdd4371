#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/rpc/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

class RpcServerTest : public ServerFixture {
  protected:
    static int code_of(const std::string& reply) {
        return ordered_json::parse(reply).at("error").at("code").get<int>();
    }
};

TEST_F(RpcServerTest, TheSocketIsForOwnerAndGroupAlone) {
    start();
    struct stat found {};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_TRUE(S_ISSOCK(found.st_mode));
    EXPECT_EQ(found.st_mode & 0777, 0660U);
}

TEST_F(RpcServerTest, PipelinedRequestsAreAnsweredInOrder) {
    start();
    auto client = connect();
    std::string burst;
    for (int i = 0; i < 500; ++i) {
        burst += request(i, i % 7 == 0 ? "nope" : "count") + (i == 499 ? "" : "\n");
    }
    ASSERT_TRUE(client.send_line(burst).ok());
    for (int i = 0; i < 500; ++i) {
        const auto line = client.receive_line();
        ASSERT_TRUE(line.ok()) << line.error().message;
        EXPECT_EQ(ordered_json::parse(line.value())["id"], i);
    }
}

TEST_F(RpcServerTest, ARequestMayComeInPieces) {
    start();
    auto client = connect();
    auto other = connect();
    const std::string message = request(1, "count");
    ASSERT_TRUE(client.send_bytes(message.substr(0, 20)).ok());
    ASSERT_TRUE(other.call("count").ok());
    ASSERT_TRUE(client.send_line(message.substr(20)).ok());
    EXPECT_EQ(client.receive_line().value(), R"({"jsonrpc":"2.0","id":1,"result":2})");
}

TEST_F(RpcServerTest, WhatIsInvalidIsAnsweredAndTheConnectionStays) {
    start();
    auto client = connect();
    ASSERT_TRUE(client.send_line("nonsense").ok());
    EXPECT_EQ(code_of(client.receive_line().value()), rpc_code::kParseError);
    ASSERT_TRUE(client.send_line("[]").ok());
    EXPECT_EQ(code_of(client.receive_line().value()), rpc_code::kInvalidRequest);
    EXPECT_TRUE(client.call("count").ok());
}

TEST_F(RpcServerTest, AMessageOverTheLimitIsAnsweredAndTheConnectionClosed) {
    start({.max_message_bytes = 1000});
    auto client = connect();
    ASSERT_TRUE(client.send_line(std::string(200'000, ' ') + "x").ok());
    EXPECT_EQ(code_of(client.receive_line().value()), rpc_code::kInvalidRequest);
    EXPECT_FALSE(client.receive_line().ok());
    client.finish_sending();
    EXPECT_TRUE(wait_for_clients(0));
}

TEST_F(RpcServerTest, WhatStandsBehindAMessageOverTheLimitIsNotCarriedOut) {
    start({.max_message_bytes = 100});
    auto client = connect();
    ASSERT_TRUE(client.send_line(std::string(101, 'x') + "\n" + request(1, "count")).ok());
    client.finish_sending();
    ASSERT_TRUE(client.receive_line().ok());
    EXPECT_FALSE(client.receive_line().ok());
    EXPECT_TRUE(wait_for_clients(0));
    EXPECT_EQ(calls_, 0);
}

TEST_F(RpcServerTest, AClientThatEndsItsSendingSideGetsItsReplies) {
    start();
    auto client = connect();
    ASSERT_TRUE(client.send_bytes(request(1, "count") + "\n" + request(2, "count")).ok());
    client.finish_sending();
    EXPECT_EQ(ordered_json::parse(client.receive_line().value())["id"], 1);
    EXPECT_EQ(ordered_json::parse(client.receive_line().value())["id"], 2);
    EXPECT_FALSE(client.receive_line().ok());
    EXPECT_TRUE(wait_for_clients(0));
}

TEST_F(RpcServerTest, AClientThatGoesAwayInTheMiddleOfAMessageLeavesNothing) {
    start();
    for (int i = 0; i < 50; ++i) {
        auto client = connect();
        ASSERT_TRUE(client.send_bytes(request(1, "count").substr(0, 20)).ok());
    }
    EXPECT_TRUE(wait_for_clients(0));
    EXPECT_EQ(calls_, 0);
    EXPECT_TRUE(connect().call("count").ok());
}

TEST_F(RpcServerTest, AClientThatGoesAwayBeforeItsRepliesLeavesNothing) {
    start();
    for (int i = 0; i < 20; ++i) {
        auto client = connect();
        for (int n = 0; n < 20; ++n) {
            const std::string large = R"({"jsonrpc":"2.0","id":1,"method":"large",)"
                                      R"("params":{"bytes":100000}})";
            static_cast<void>(client.send_line(large));
        }
    }
    EXPECT_TRUE(wait_for_clients(0));
}

TEST_F(RpcServerTest, AClientThatDoesNotReadIsNotServedFurther) {
    start({.max_unread_bytes = 100'000});
    auto slow = connect();
    const int sent = 60;
    std::string burst;
    for (int i = 0; i < sent; ++i) {
        burst += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) +
                 R"(,"method":"large","params":{"bytes":50000}})" + "\n" +
                 R"({"jsonrpc":"2.0","method":"count"})" + "\n";
    }
    ASSERT_TRUE(slow.send_bytes(burst).ok());
    // Others are served meanwhile, and while they are, the slow one's requests wait.
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(connect().call("echo", {{"text", "a"}}).ok());
    EXPECT_LT(calls_, sent);
    for (int i = 0; i < sent; ++i) {
        const auto line = slow.receive_line();
        ASSERT_TRUE(line.ok()) << line.error().message;
        EXPECT_EQ(ordered_json::parse(line.value())["id"], i);
    }
    EXPECT_TRUE(slow.call("echo", {{"text", "a"}}).ok());
    EXPECT_EQ(calls_, sent);
}

TEST_F(RpcServerTest, HundredsOfClientsAreServed) {
    start();
    std::vector<RpcClient> clients;
    for (int i = 0; i < 300; ++i) clients.push_back(connect());
    for (auto& client : clients) ASSERT_TRUE(client.send_line(request(1, "count")).ok());
    for (auto& client : clients) EXPECT_TRUE(client.receive_line().ok());
    EXPECT_EQ(calls_, 300);
    EXPECT_EQ(client_count(), 300U);
}

TEST_F(RpcServerTest, IdleClientsKeepNobodyOut) {
    start({.max_clients = 2});
    auto first = connect();
    ASSERT_TRUE(first.call("count").ok());
    auto second = connect();
    ASSERT_TRUE(second.call("count").ok());
    ASSERT_TRUE(first.call("count").ok());
    auto third = connect();
    EXPECT_TRUE(third.call("count").ok());
    EXPECT_EQ(client_count(), 2U);
    EXPECT_FALSE(second.call("count").ok()) << "it was idle for the longest time";
    EXPECT_TRUE(first.call("count").ok());
}

TEST_F(RpcServerTest, UnfinishedRequestsOfAllClientsTogetherAreBounded) {
    start({.max_held_bytes = 3'000'000});
    auto small = connect();
    ASSERT_TRUE(small.send_bytes(std::string(100'000, 'x')).ok());
    auto large = connect();
    // It may be closed before all is on its way.
    (void)large.send_bytes(std::string(5'000'000, 'x'));
    EXPECT_FALSE(large.receive_line().ok()) << "the largest one goes";
    EXPECT_TRUE(connect().call("count").ok());
    ASSERT_TRUE(small.send_line("").ok());
    EXPECT_TRUE(small.receive_line().ok()) << "the small one stays";
}

TEST_F(RpcServerTest, ALargeDocumentArrivesWhole) {
    start();
    std::string text(20'000'000, 'y');
    for (size_t i = 0; i < text.size(); i += 80) text[i] = '\n';
    const auto reply = connect().call("echo", {{"text", text}});
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_TRUE(reply.value() == text);
}

TEST_F(RpcServerTest, AStaleSocketFileIsReplaced) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
    start();
    EXPECT_TRUE(connect().call("count").ok());
}

TEST_F(RpcServerTest, ASocketOnWhichSomebodyAnswersIsLeftAlone) {
    start();
    boost::asio::io_context io;
    RpcServer second(io, methods_, {.path = path_});
    const auto started = second.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("another process answers"), std::string::npos);
    second.stop();
    EXPECT_TRUE(connect().call("count").ok());
}

TEST_F(RpcServerTest, AFileThatIsNoSocketIsLeftAlone) {
    std::ofstream(path_) << "precious";
    RpcServer server(io_, methods_, {.path = path_});
    const auto started = server.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("not a socket"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(RpcServerTest, APathThatIsTooLongIsNamed) {
    RpcServer server(io_, methods_, {.path = std::string(200, 'a')});
    const auto started = server.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("1-107 are allowed"), std::string::npos);
}

TEST_F(RpcServerTest, MissingFoldersAreMade) {
    path_ = folder_ / "run" / "podlane" / "p.sock";
    start();
    EXPECT_TRUE(connect().call("count").ok());
}

TEST_F(RpcServerTest, StopClosesConnectionsAndRemovesTheFile) {
    start();
    auto client = connect();
    ASSERT_TRUE(client.call("count").ok());
    on_control_thread([this] { server_->stop(); });
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_FALSE(client.call("count").ok());
    on_control_thread([this] { server_->stop(); });
}

TEST_F(RpcServerTest, StopLeavesASocketFileThatIsNotItsOwn) {
    start();
    std::filesystem::remove(path_);
    boost::asio::io_context io;
    RpcServer second(io, methods_, {.path = path_});
    ASSERT_TRUE(second.start().ok());
    on_control_thread([this] { server_->stop(); });
    EXPECT_TRUE(std::filesystem::exists(path_));
    second.stop();
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RpcServerTest, AMethodMayStopTheServer) {
    methods_.add("stop", [this](RpcRequest&) -> RpcResult {
        server_->stop();
        return true;
    });
    start();
    EXPECT_FALSE(connect().call("stop").ok());
    EXPECT_EQ(client_count(), 0U);
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RpcServerTest, ItCanBeStartedAgain) {
    start();
    on_control_thread([this] { server_->stop(); });
    const auto again = on_control_thread([this] { return server_->start(); });
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_TRUE(connect().call("count").ok());
}

}  // namespace
}  // namespace podlane::control
