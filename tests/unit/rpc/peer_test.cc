#include "control/rpc/peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace podlane::control {
namespace {

constexpr uid_t kOwn = 500;
constexpr gid_t kGroup = 900;

TEST(Peer, RootAndTheDaemonsOwnUserMay) {
    EXPECT_TRUE(is_allowed({{0, 0, 1}, {}}, kOwn, kGroup));
    EXPECT_TRUE(is_allowed({{kOwn, 500, 1}, {}}, kOwn, kGroup));
}

TEST(Peer, MembersOfTheSocketsGroupMay) {
    EXPECT_TRUE(is_allowed({{1000, kGroup, 1}, {}}, kOwn, kGroup));
    EXPECT_TRUE(is_allowed({{1000, 1000, 1}, {4, kGroup}}, kOwn, kGroup));
}

TEST(Peer, OthersMayNot) {
    EXPECT_FALSE(is_allowed({{1000, 1000, 1}, {}}, kOwn, kGroup));
    EXPECT_FALSE(is_allowed({{1000, 1000, 1}, {4, 5}}, kOwn, kGroup));
}

TEST(Peer, TheKernelTellsWhoIsAtTheOtherEnd) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const auto who = peer_credentials(ends[0]);
    ASSERT_TRUE(who.ok());
    EXPECT_EQ(who->peer.uid, ::geteuid());
    EXPECT_EQ(who->peer.gid, ::getegid());
    EXPECT_EQ(who->peer.pid, ::getpid());
    EXPECT_EQ(static_cast<int>(who->groups.size()), ::getgroups(0, nullptr));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Peer, WhatIsNoSocketHasNoPeer) {
    EXPECT_FALSE(peer_credentials(-1).ok());
}

}  // namespace
}  // namespace podlane::control
