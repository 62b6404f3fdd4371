#include "control/cni/node_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using std::chrono::milliseconds;
using test::failure_code;

/// A podlaned that answers each connection with the next of `answers`; an empty one: with nothing.
class FakeNode {
  public:
    FakeNode(const std::string& path, std::vector<std::string> answers) {
        listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, path.size());
        EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        thread_ = std::thread([this, answers = std::move(answers)] {
            for (const std::string& answer : answers) {
                const int peer = ::accept(listener_, nullptr, nullptr);
                char text[4096];
                const bool asked = ::recv(peer, text, sizeof text, 0) > 0;
                if (asked && !answer.empty()) {
                    EXPECT_GT(::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL), 0);
                }
                ::close(peer);
            }
        });
    }
    ~FakeNode() {
        thread_.join();
        ::close(listener_);
    }

  private:
    int listener_;
    std::thread thread_;
};

constexpr const char* kDone = R"({"jsonrpc": "2.0", "id": 1, "result": {"done": true}})"
                              "\n";

TEST(CniNodeLink, WithoutPodlanedItIsTryAgainLaterAndNamesTheSocket) {
    const test::TemporaryFolder there;
    const std::string path = there.path() + "/none.sock";
    try {
        (void)NodeLink(path, milliseconds(120)).call("health", Json::object());
        FAIL();
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), code::kTryAgainLater);
        EXPECT_NE(failure.details().find(path), std::string::npos);
    }
}

TEST(CniNodeLink, ACallThatBreaksOffIsMadeAgain) {
    const test::TemporaryFolder there;
    const std::string path = there.path() + "/node.sock";
    const FakeNode node(path, {"", "", kDone});
    NodeLink link(path, std::chrono::seconds(20));
    EXPECT_EQ(link.ask("pod.add")["done"], true);
}

TEST(CniNodeLink, PodlanedThatComesLateIsWaitedFor) {
    const test::TemporaryFolder there;
    const std::string path = there.path() + "/node.sock";
    std::optional<FakeNode> node;
    std::thread starter([&] {
        ::usleep(150'000);
        node.emplace(path, std::vector<std::string>{kDone});
    });
    NodeLink link(path, std::chrono::seconds(20));
    EXPECT_EQ(link.ask("pod.add")["done"], true);
    starter.join();
}

TEST(CniNodeLink, ARefusalIsNotRepeatedAndKeepsPodlanedsWords) {
    const test::TemporaryFolder there;
    const std::string path = there.path() + "/node.sock";
    const FakeNode node(path, {R"({"jsonrpc": "2.0", "id": 1, "error": {"code": 3, )"
                               R"("message": "10.244.1.2 is the address of pod a/b"}})"
                               "\n"});
    NodeLink link(path, std::chrono::seconds(20));
    const Answer answer = link.call("pod.add", Json::object());
    ASSERT_TRUE(std::holds_alternative<Refusal>(answer));
    EXPECT_EQ(std::get<Refusal>(answer).code, 3);
    EXPECT_EQ(failure_code([&] { refuse("the port", std::get<Refusal>(answer)); }), code::kRefused);
}

}  // namespace
}  // namespace podlane::cni
