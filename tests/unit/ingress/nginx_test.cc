#include "control/ingress/nginx.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

IngressPlan plan_of(IngressHost host) {
    IngressPlan plan;
    plan.hosts = {IngressHost{}, std::move(host)};
    return plan;
}

NginxOptions options() {
    NginxOptions made;
    made.folder = "/f";
    made.class_name = "podlane";
    return made;
}

TEST(NginxConfig, AWildcardStandsForOneLabel) {
    IngressHost host;
    host.name = "*.a-b.example.com";
    const std::string config = nginx_config(plan_of(host), options());
    EXPECT_NE(config.find("server_name \"~^[^.]+\\.a-b\\.example\\.com$\";\n"), std::string::npos);
}

TEST(NginxConfig, AnExactPathWithASlashDoesNotTakeTheOneWithout) {
    IngressHost host;
    host.name = "a.b";
    host.exact["/x/"] = {"10.0.0.1:80", "a"};
    const std::string config = nginx_config(plan_of(host), options());
    EXPECT_NE(config.find("location = \"/x\" {\n            return 404;"), std::string::npos);
}

TEST(NginxConfig, WithoutIpv6ThereIsNoListenerOfIt) {
    NginxOptions without = options();
    without.ipv6 = false;
    without.http_port = 8080;
    const std::string config = nginx_config(plan_of({}), without);
    EXPECT_EQ(config.find("[::]"), std::string::npos);
    EXPECT_NE(config.find("listen 8080 default_server;"), std::string::npos);
}

TEST(NginxConfig, FileNamesWithCharactersOfItsSyntaxAreKnown) {
    EXPECT_TRUE(is_plain_file_name("/etc/podlane-1/ingress_a.d"));
    for (const char* name : {"/a b", "/a;", "/a$b", "/a\"", "/a{", "/a\n", "/*", "/\xc3\xa9"}) {
        EXPECT_FALSE(is_plain_file_name(name)) << name;
    }
}

}  // namespace
}  // namespace podlane::control
