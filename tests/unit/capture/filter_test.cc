#include "control/capture/filter.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(Filter, TextIsCompiledAndTheEmptyOneIsEverything) {
    const auto compiled = compile_filter("tcp port 80 and host 10.0.0.1");
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    EXPECT_GT(compiled->size(), 5u);
    // ldh [12], the EtherType, comes first.
    EXPECT_EQ(compiled->front().code, 0x28);
    EXPECT_EQ(compiled->front().value, 12u);
    EXPECT_TRUE(compile_filter("").value().empty());
}

TEST(Filter, ErrorNamesTheText) {
    const auto compiled = compile_filter("tcp prot 80");
    ASSERT_FALSE(compiled.ok());
    EXPECT_TRUE(compiled.error().message.starts_with("filter \"tcp prot 80\": "))
        << compiled.error().message;
}

}  // namespace
}  // namespace podlane::control
