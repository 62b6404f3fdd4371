#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/rpc/session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <string>

namespace podlane::control {
namespace {

// A session at one end of a pair of sockets, the test at the other, and no thread: poll() runs
// whatever the session can do.
class RpcSessionTest : public ::testing::Test {
  protected:
    RpcSessionTest() {
        methods_.add("count", [this](RpcRequest&) -> RpcResult { return ++calls_; });
        methods_.add("close", [this](RpcRequest&) -> RpcResult {
            session_->close();
            return true;
        });
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        ours_ = ends[0];
        RpcSession::Socket socket(io_);
        socket.assign(boost::asio::local::stream_protocol(), ends[1]);
        session_ = std::make_shared<RpcSession>(std::move(socket), methods_, RpcPeer{}, 1000, 100,
                                                [this] { ++closed_; });
    }
    ~RpcSessionTest() override {
        if (ours_ >= 0) ::close(ours_);
    }
    void send(const std::string& bytes) {
        ASSERT_EQ(::send(ours_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
        poll();
    }
    void poll() {
        io_.restart();
        io_.poll();
    }
    // All that the session has sent; nothing more comes if `end` is set to true.
    std::string received(bool* end = nullptr) {
        std::string text;
        char piece[4096];
        ssize_t got = 0;
        while ((got = ::recv(ours_, piece, sizeof piece, 0)) > 0) {
            text.append(piece, static_cast<size_t>(got));
            poll();
        }
        if (end != nullptr) *end = got == 0;
        return text;
    }

    boost::asio::io_context io_;
    RpcMethods methods_;
    std::shared_ptr<RpcSession> session_;
    int ours_ = -1;
    int calls_ = 0;
    int closed_ = 0;
};

const char* const kCount = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\"}\n";

TEST_F(RpcSessionTest, AnswersWhatItReads) {
    session_->start();
    send(kCount);
    EXPECT_EQ(received(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n");
    EXPECT_EQ(closed_, 0);
}

TEST_F(RpcSessionTest, TellsOnceThatTheClientIsGone) {
    session_->start();
    ::close(std::exchange(ours_, -1));
    poll();
    EXPECT_EQ(closed_, 1);
    poll();
    EXPECT_EQ(closed_, 1);
}

TEST_F(RpcSessionTest, ClosingItDoesNotTellItsOwner) {
    session_->start();
    send("");
    session_->close();
    session_->close();
    poll();
    bool end = false;
    EXPECT_EQ(received(&end), "");
    EXPECT_TRUE(end);
    EXPECT_EQ(closed_, 0);
}

TEST_F(RpcSessionTest, ARefusedClientIsToldAndNotServed) {
    session_->refuse({rpc_code::kNotAllowed, "no", nullptr});
    send(kCount);
    bool end = false;
    EXPECT_EQ(received(&end),
              "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":5,\"message\":\"no\"}}\n");
    EXPECT_TRUE(end);
    EXPECT_EQ(calls_, 0);
    EXPECT_EQ(closed_, 0) << "it may still send what it had begun";
    ::shutdown(ours_, SHUT_WR);
    poll();
    EXPECT_EQ(closed_, 1);
}

TEST_F(RpcSessionTest, AMethodMayCloseIt) {
    session_->start();
    send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"close\"}\n");
    bool end = false;
    EXPECT_EQ(received(&end), "");
    EXPECT_TRUE(end);
}

}  // namespace
}  // namespace podlane::control
