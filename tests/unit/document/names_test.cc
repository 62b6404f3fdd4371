#include "control/document/names.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane::control {
namespace {

TEST(Names, KnowDnsLabels) {
    for (const char* text : {"a", "web", "web-1", "1web", "a--b"}) EXPECT_TRUE(is_dns_label(text));
    EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
    for (const char* text : {"", "-a", "a-", "Web", "a.b", "a_b", "a b"}) {
        EXPECT_FALSE(is_dns_label(text)) << text;
    }
    EXPECT_FALSE(is_dns_label(std::string(64, 'a')));
}

TEST(Names, KnowSubdomains) {
    for (const char* text : {"a", "a.b-c.1", "node-1.example.org"}) {
        EXPECT_TRUE(is_dns_subdomain(text)) << text;
    }
    for (const char* text : {"", ".", "a.", ".a", "a..b", "a.-b", "A.b"}) {
        EXPECT_FALSE(is_dns_subdomain(text)) << text;
    }
    EXPECT_TRUE(is_dns_subdomain(std::string(253, 'a')));
    EXPECT_FALSE(is_dns_subdomain(std::string(254, 'a')));
    EXPECT_TRUE(is_host_pattern("*.example.org"));
    EXPECT_FALSE(is_host_pattern("*"));
    EXPECT_FALSE(is_host_pattern("a.*.b"));
}

TEST(Names, KnowPortNames) {
    for (const char* text : {"http", "a", "8080-tcp", "metrics-1"}) {
        EXPECT_TRUE(is_port_name(text)) << text;
    }
    for (const char* text : {"", "80", "a--b", "-a", "HTTP", "sixteen-letters-"}) {
        EXPECT_FALSE(is_port_name(text)) << text;
    }
    EXPECT_TRUE(is_port_name("fifteen-letters"));
    EXPECT_FALSE(is_port_name("sixteen-letters1"));
}

TEST(Names, KnowLabels) {
    for (const char* text : {"app", "app.kubernetes.io/name", "A_b.c-d", "9"}) {
        EXPECT_TRUE(is_label_key(text)) << text;
    }
    for (const char* text : {"", "/a", "a/", "a/b/c", "A/b", "-a", "a b"}) {
        EXPECT_FALSE(is_label_key(text)) << text;
    }
    EXPECT_TRUE(is_label_value(""));
    EXPECT_TRUE(is_label_value("v1.2_3-x"));
    EXPECT_FALSE(is_label_value("-x"));
    EXPECT_FALSE(is_label_value(std::string(64, 'a')));
}

}  // namespace
}  // namespace podlane::control
