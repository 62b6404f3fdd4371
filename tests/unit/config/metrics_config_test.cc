#include "control/config/metrics_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace podlane::control {
namespace {

/// What `metrics: ...` is, read from a file, in words.
std::string described(const std::string& section) {
    const std::string path = "/tmp/podlane-metrics-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << "node: a\n" << section;
    const auto config = load_metrics_config(path);
    std::remove(path.c_str());
    return config.ok() ? describe(config.value()) : config.error().message.substr(path.size());
}

TEST(MetricsConfig, IsOnLoopbackUnlessToldOtherwise) {
    EXPECT_EQ(described(""),
              "metrics    http://127.0.0.1:9967/metrics, series for 1000 Services; a page at /\n");
    EXPECT_EQ(described("metrics: {listen: \"[::]:80\", services: 0}\n"),
              "metrics    http://[::]:80/metrics, series for 0 Services; no page\n");
    EXPECT_EQ(described("metrics: {listen: off}\n"), "metrics    off\n");
    EXPECT_EQ(described("metrics: {listen: \"off\"}\n"), "metrics    off\n");
}

TEST(MetricsConfig, PageIsWhereOnlyThisMachineIsUnlessToldOtherwise) {
    const auto shows = [](const std::string& section) {
        return described("metrics: {" + section + "}\n").ends_with("; a page at /\n");
    };
    for (const char* section :
         {"page: auto", "listen: \"127.3.2.1:80\"", "listen: \"[::1]:80\"",
          "listen: \"192.0.2.1:80\", page: on", "listen: \"[::]:80\", page: \"on\""}) {
        EXPECT_TRUE(shows(section)) << section;
    }
    for (const char* section : {"page: off", "page: \"off\"", "listen: \"192.0.2.1:80\"",
                                "listen: \"[fd00::1]:80\", page: auto", "listen: off, page: on"}) {
        EXPECT_FALSE(shows(section)) << section;
    }
}

TEST(MetricsConfig, WrongValuesAreNamedWithTheirPlace) {
    EXPECT_EQ(described("metrics: {listen: 127.0.0.1}\n"),
              ":2:19: metrics.listen: \"127.0.0.1\" is not ADDRESS:PORT such as 127.0.0.1:9967 or "
              "[::1]:9967, or off");
    EXPECT_TRUE(described("metrics: {port: 80}\n").starts_with(":2:11: metrics.port: "))
        << described("metrics: {port: 80}\n");
    EXPECT_TRUE(described("metrics: {services: many}\n").starts_with(":2:21: metrics.services: "));
    EXPECT_EQ(described("metrics: {page: maybe}\n"),
              ":2:17: metrics.page: \"maybe\" is not auto, on or off");
    EXPECT_FALSE(load_metrics_config("/nonexistent.yaml").ok());
}

TEST(MetricsConfig, PlaceIsAnAddressAndAPort) {
    EXPECT_EQ(parse_listen_place("[::1]:9967")->port, 9967);
    for (const char* text : {"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "::1:80",
                             "[127.0.0.1]:80", "localhost:80", ":80", "127.0.0.1:8o", ""}) {
        EXPECT_FALSE(parse_listen_place(text)) << text;
    }
}

}  // namespace
}  // namespace podlane::control
