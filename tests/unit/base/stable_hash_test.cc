#include "lib/base/stable_hash.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

// Test vectors of FNV's authors (draft-eastlake-fnv, appendix C).
TEST(StableHash, Fnv1aIsTheOneOfItsAuthors) {
    EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
    EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
    EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
    EXPECT_EQ(fnv1a("bar", fnv1a("foo")), fnv1a("foobar"));
    EXPECT_NE(stable_hash("foobar"), fnv1a("foobar"));
}

}  // namespace
}  // namespace podlane
