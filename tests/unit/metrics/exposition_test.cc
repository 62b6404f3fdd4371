#include "control/metrics/exposition.h"

#include <gtest/gtest.h>

#include <array>

namespace podlane::control {
namespace {

constexpr MetricRow kCounterRow = {"podlane_things", MetricType::kCounter, "Things, \"a\\b\"."};
constexpr MetricRow kGaugeRow = {"podlane_level", MetricType::kGauge, "A level."};
constexpr MetricRow kInfoRow = {"podlane_build", MetricType::kInfo, "What runs."};
constexpr MetricRow kHistogramRow = {"podlane_took_seconds", MetricType::kHistogram, "How long."};

std::string all(MetricsFormat format) {
    Exposition out(format);
    out.begin(kCounterRow);
    out.sample({{"a", "x"}, {"b", "y"}}, uint64_t{18446744073709551615U});
    out.begin(kGaugeRow);
    out.sample({}, 0.5);
    out.begin(kInfoRow);
    out.sample({{"version", "1"}}, uint64_t{1});
    out.begin(kHistogramRow);
    const std::array<HistogramBucket, 2> buckets{{{0.001, 3}, {0.01, 5}}};
    out.histogram({{"w", "0"}}, buckets, 6, 0.25);
    return out.take();
}

TEST(Exposition, PrometheusNamesSamples) {
    EXPECT_EQ(all(MetricsFormat::kPrometheus),
              "# HELP podlane_things_total Things, \"a\\\\b\".\n"
              "# TYPE podlane_things_total counter\n"
              "podlane_things_total{a=\"x\",b=\"y\"} 18446744073709551615\n"
              "# HELP podlane_level A level.\n"
              "# TYPE podlane_level gauge\n"
              "podlane_level 0.5\n"
              "# HELP podlane_build_info What runs.\n"
              "# TYPE podlane_build_info gauge\n"
              "podlane_build_info{version=\"1\"} 1\n"
              "# HELP podlane_took_seconds How long.\n"
              "# TYPE podlane_took_seconds histogram\n"
              "podlane_took_seconds_bucket{w=\"0\",le=\"0.001\"} 3\n"
              "podlane_took_seconds_bucket{w=\"0\",le=\"0.01\"} 5\n"
              "podlane_took_seconds_bucket{w=\"0\",le=\"+Inf\"} 6\n"
              "podlane_took_seconds_sum{w=\"0\"} 0.25\n"
              "podlane_took_seconds_count{w=\"0\"} 6\n");
}

TEST(Exposition, OpenMetricsNamesFamiliesAndEnds) {
    const std::string text = all(MetricsFormat::kOpenMetrics);
    EXPECT_TRUE(
        text.starts_with("# HELP podlane_things Things, \\\"a\\\\b\\\".\n"
                         "# TYPE podlane_things counter\n"
                         "podlane_things_total{a=\"x\",b=\"y\"} 18446744073709551615\n"))
        << text;
    EXPECT_NE(text.find("# TYPE podlane_build info\npodlane_build_info{"), std::string::npos);
    EXPECT_TRUE(text.ends_with("podlane_took_seconds_count{w=\"0\"} 6\n# EOF\n")) << text;
}

TEST(Exposition, LabelValuesAreEscaped) {
    Exposition out(MetricsFormat::kPrometheus);
    out.begin(kGaugeRow);
    out.sample({{"port", "a\"b\\c\nd"}}, uint64_t{1});
    EXPECT_TRUE(out.take().ends_with("podlane_level{port=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Exposition, FormatIsWhatIsAccepted) {
    // What Prometheus 2.42 sends.
    EXPECT_EQ(metrics_format("application/openmetrics-text;version=1.0.0,"
                             "application/openmetrics-text;version=0.0.1;q=0.75,"
                             "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
              MetricsFormat::kOpenMetrics);
    EXPECT_EQ(metrics_format("*/*"), MetricsFormat::kPrometheus);
    EXPECT_EQ(metrics_format(""), MetricsFormat::kPrometheus);
    EXPECT_TRUE(content_type(MetricsFormat::kOpenMetrics).starts_with("application/openmetrics-"));
    EXPECT_TRUE(content_type(MetricsFormat::kPrometheus).starts_with("text/plain; version=0.0.4"));
}

}  // namespace
}  // namespace podlane::control
