#include "control/kube/base64.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(Base64, IsThatOfTheRfcBothWays) {
    // RFC 4648 section 10.
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(to_base64(bytes), text);
        EXPECT_EQ(from_base64(text), bytes);
    }
}

TEST(Base64, CarriesEveryByte) {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    for (size_t size = 0; size <= bytes.size(); ++size) {
        const std::string part = bytes.substr(bytes.size() - size);
        EXPECT_EQ(from_base64(to_base64(part)), part);
    }
}

TEST(Base64, LineEndsWithinArePassedOver) {
    EXPECT_EQ(from_base64("Zm9v\r\nYmFy\n"), "foobar");
}

TEST(Base64, WhatIsNotBase64IsRefused) {
    for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Zm9vY", "=", "====", "Zm 9", "Zm9v!",
                             "Zg==Zg==", "Zg=v", "Zm-_"}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

}  // namespace
}  // namespace podlane::control
