#include "control/config/metrics_config.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

MetricsConfig load(const std::string& section) {
    const auto config = load_metrics_config_from_text("node: a\n" + section, "node.yaml");
    EXPECT_TRUE(config.ok()) << config.error().message;
    return config.ok() ? config.value() : MetricsConfig();
}
std::string error_of(const std::string& section) {
    const auto config = load_metrics_config_from_text("node: a\n" + section, "node.yaml");
    return config.ok() ? "" : config.error().message;
}

TEST(MetricsConfig, IsOnLoopbackUnlessToldOtherwise) {
    EXPECT_EQ(describe(load("")),
              "metrics    http://127.0.0.1:9967/metrics, series for 1000 Services\n");
    EXPECT_EQ(describe(load("metrics: {listen: \"[::]:80\", services: 0}\n")),
              "metrics    http://[::]:80/metrics, series for 0 Services\n");
    EXPECT_EQ(describe(load("metrics: {listen: off}\n")), "metrics    off\n");
    EXPECT_EQ(describe(load("metrics: {listen: \"off\"}\n")), "metrics    off\n");
}

TEST(MetricsConfig, WrongValuesAreNamedWithTheirPlace) {
    EXPECT_EQ(error_of("metrics: {listen: 127.0.0.1}\n"),
              "node.yaml:2:19: metrics.listen: \"127.0.0.1\" is not ADDRESS:PORT such as "
              "127.0.0.1:9967 or [::1]:9967, or off");
    EXPECT_TRUE(error_of("metrics: {port: 80}\n").starts_with("node.yaml:2:11: metrics.port: "))
        << error_of("metrics: {port: 80}\n");
    EXPECT_TRUE(error_of("metrics: {services: many}\n").starts_with("node.yaml:2:21: "));
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
