// Metrics as text, in the two formats that Prometheus reads: its own (version 0.0.4) and
// OpenMetrics 1.0.0.
//
// families.cc writes the node's numbers with it. Pure: no clock, no sockets.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace podlane::control {

enum class MetricsFormat : uint8_t { kPrometheus, kOpenMetrics };

/// By a request's Accept header: OpenMetrics for who names it.
[[nodiscard]] MetricsFormat metrics_format(std::string_view accept) noexcept;
[[nodiscard]] std::string_view content_type(MetricsFormat format) noexcept;

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram, kInfo };

/// One metric: what all of its samples have in common.
struct MetricRow {
    /// "podlane_port_receive_packets", without the _total of a counter and the _info of an info.
    std::string_view name;
    MetricType type = MetricType::kGauge;
    std::string_view help;
};

struct Label {
    std::string_view name;
    std::string_view value;  ///< any text; it is escaped
};
using Labels = std::initializer_list<Label>;

/// Values up to a limit.
struct HistogramBucket {
    double up_to = 0;    ///< in the metric's unit
    uint64_t count = 0;  ///< values that are not above it: cumulative
};

/// Writes one metric after the other: begin(), then its samples.
class Exposition {
  public:
    explicit Exposition(MetricsFormat format) : format_(format) {}

    /// Each row once.
    void begin(const MetricRow& row);
    void sample(Labels labels, uint64_t value);
    void sample(Labels labels, double value);
    /// `buckets` in rising order, without the one up to infinity, which holds all `count`.
    void histogram(Labels labels, std::span<const HistogramBucket> buckets, uint64_t count,
                   double sum);
    /// The text, ended as its format wants.
    [[nodiscard]] std::string take();

  private:
    void line(std::string_view suffix, Labels labels, std::string_view last_label,
              std::string_view value);

    MetricsFormat format_;
    const MetricRow* row_ = nullptr;
    std::string text_;
};

}  // namespace podlane::control
