#include "control/rpc/framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {
namespace {

// Gives `bytes` to `framing` in pieces of at most `piece` and returns the messages that come out.
std::vector<std::string> feed(RpcFraming& framing, std::string_view bytes, size_t piece) {
    std::vector<std::string> messages;
    while (!bytes.empty()) {
        const auto room = framing.room();
        const size_t n = std::min({piece, room.size(), bytes.size()});
        std::memcpy(room.data(), bytes.data(), n);
        framing.received(n);
        bytes.remove_prefix(n);
        while (auto message = framing.next()) messages.push_back(*std::move(message));
    }
    return messages;
}

using Lines = std::vector<std::string>;

TEST(RpcFraming, PiecesOfAnySizeGiveTheSameMessages) {
    const std::string stream = "{\"a\":1}\n{\"b\":2}\n\n \t\r\n{\"c\":3}\n";
    for (size_t piece = 1; piece <= stream.size(); ++piece) {
        RpcFraming framing;
        EXPECT_EQ(feed(framing, stream, piece), (Lines{"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"}));
        EXPECT_EQ(framing.held_bytes(), 0U);
    }
}

TEST(RpcFraming, AnIncompleteLineWaits) {
    RpcFraming framing;
    EXPECT_TRUE(feed(framing, "{\"a\"", 100).empty());
    EXPECT_EQ(framing.held_bytes(), 4U);
    EXPECT_EQ(feed(framing, ":1}\n", 100), Lines{"{\"a\":1}"});
}

TEST(RpcFraming, TheRestOfAStreamIsItsLastMessage) {
    RpcFraming framing;
    EXPECT_EQ(feed(framing, "one\ntwo", 100), Lines{"one"});
    EXPECT_EQ(framing.rest(), "two");
    EXPECT_EQ(framing.rest(), std::nullopt);
}

TEST(RpcFraming, ARestOfWhiteSpaceIsNoMessage) {
    RpcFraming framing;
    feed(framing, "one\n \r\t", 100);
    EXPECT_EQ(framing.rest(), std::nullopt);
}

TEST(RpcFraming, AMessageOfExactlyTheLimitPasses) {
    RpcFraming framing(10);
    EXPECT_EQ(feed(framing, "0123456789\n", 3), Lines{"0123456789"});
    EXPECT_FALSE(framing.is_over_limit());
}

TEST(RpcFraming, AMessageOverTheLimitIsRefusedBeforeItsEnd) {
    RpcFraming framing(10);
    EXPECT_TRUE(feed(framing, "0123456789a", 4).empty());
    EXPECT_TRUE(framing.is_over_limit());
}

TEST(RpcFraming, AMessageOverTheLimitIsRefusedAlsoWhenItComesWhole) {
    RpcFraming framing(10);
    EXPECT_TRUE(feed(framing, "0123456789a\n", 100).empty());
    EXPECT_TRUE(framing.is_over_limit());
}

TEST(RpcFraming, MessagesBeforeTheOneOverTheLimitComeOut) {
    RpcFraming framing(4);
    EXPECT_EQ(feed(framing, "ab\ncd\ntoolong\nef\n", 100), (Lines{"ab", "cd"}));
    EXPECT_TRUE(framing.is_over_limit());
}

TEST(RpcFraming, BehindTheLimitNothingIsHeld) {
    RpcFraming framing(4);
    feed(framing, std::string(100'000, 'x'), 1000);
    EXPECT_TRUE(framing.is_over_limit());
    EXPECT_EQ(framing.held_bytes(), 0U);
    EXPECT_EQ(framing.rest(), std::nullopt);
}

TEST(RpcFraming, LargeAndSmallMessagesAlternate) {
    Lines sent;
    std::string stream;
    for (int i = 0; i < 12; ++i) {
        const bool is_large = i % 3 == 1;
        sent.emplace_back(is_large ? 300'000U + static_cast<size_t>(i) : 5U,
                          static_cast<char>('a' + i));
        stream += sent.back() + '\n';
    }
    for (const size_t piece : {size_t{1000}, size_t{65536}, stream.size()}) {
        RpcFraming framing;
        EXPECT_TRUE(feed(framing, stream, piece) == sent) << "in pieces of " << piece;
        EXPECT_EQ(framing.held_bytes(), 0U);
    }
}

TEST(RpcFraming, ALargeMessageIsHandedOutWithoutACopy) {
    RpcFraming framing;
    feed(framing, std::string(1 << 20, 'x'), 1 << 16);
    const auto room = framing.room();
    const char* begin = room.data() - framing.held_bytes();
    room[0] = '\n';
    framing.received(1);
    const auto message = framing.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->size(), size_t{1} << 20);
    EXPECT_EQ(message->data(), begin);
}

}  // namespace
}  // namespace podlane::control
