#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/rpc/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using RpcClientTest = ServerFixture;

TEST_F(RpcClientTest, ACallGivesTheResult) {
    start();
    auto client = connect();
    const auto reply = client.call("echo", {{"text", "häl\"lo\n"}});
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply.value(), "häl\"lo\n");
    EXPECT_EQ(client.call("count").value(), 1);
    EXPECT_EQ(client.last_code(), 0);
}

TEST_F(RpcClientTest, ARefusalGivesMessagePlaceAndCode) {
    start();
    auto client = connect();
    const auto reply = client.call("refuse");
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().message, "a.yml:3: spec: no");
    EXPECT_EQ(reply.error().document, "a.yml");
    EXPECT_EQ(reply.error().line, 3);
    EXPECT_EQ(reply.error().path, "spec");
    EXPECT_EQ(client.last_code(), rpc_code::kRefused);
    EXPECT_TRUE(client.call("count").ok());
    EXPECT_EQ(client.last_code(), 0);
}

TEST_F(RpcClientTest, AServerThatIsNotThereIsNamed) {
    const auto client = RpcClient::connect(path_);
    ASSERT_FALSE(client.ok());
    EXPECT_EQ(client.error().message,
              path_ + ": No such file or directory; is podlaned running, and is this its socket?");
    EXPECT_FALSE(RpcClient::connect(std::string(300, 'x')).ok());
    EXPECT_FALSE(RpcClient::connect("").ok());
}

TEST_F(RpcClientTest, AServerThatDoesNotAnswerEndsTheCall) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    auto client = connect({.call_timeout = std::chrono::milliseconds(20)});
    const auto reply = client.call("count");
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().message, "podlaned did not answer in time");
    ::close(fd);
}

TEST_F(RpcClientTest, ARequestOverTheLimitIsNotSent) {
    start();
    auto client = connect({.max_message_bytes = 100});
    EXPECT_FALSE(client.call("echo", {{"text", std::string(100, 'x')}}).ok());
    EXPECT_TRUE(client.call("echo", {{"text", "x"}}).ok());
}

TEST_F(RpcClientTest, TheServersReasonIsSeenAlsoWhenItStopsReading) {
    start({.max_message_bytes = 1000});
    auto client = connect();
    const auto reply = client.call("echo", {{"text", std::string(5'000'000, 'x')}});
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().message, "the message is longer than this socket takes");
    EXPECT_EQ(client.last_code(), rpc_code::kInvalidRequest);
}

TEST_F(RpcClientTest, MovingHandsOverTheConnection) {
    start();
    auto first = connect();
    auto second = std::move(first);
    EXPECT_TRUE(second.call("count").ok());
    first = std::move(second);
    EXPECT_TRUE(first.call("count").ok());
}

}  // namespace
}  // namespace podlane::control
