#include "control/metrics/exposition.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace podlane::control {

namespace {

/// Escapes as the text formats require: backslash, line feed and, in quotes, the quotation mark.
void append_escaped(std::string& out, std::string_view text, bool quoted) {
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quoted) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
}

std::string_view type_name(MetricType type, MetricsFormat format) noexcept {
    switch (type) {
        case MetricType::kCounter:
            return "counter";
        case MetricType::kGauge:
            return "gauge";
        case MetricType::kHistogram:
            return "histogram";
        case MetricType::kInfo:
            return format == MetricsFormat::kOpenMetrics ? "info" : "gauge";
    }
    return "";
}

/// The suffix of a sample that is a single number.
std::string_view suffix_of(MetricType type) noexcept {
    if (type == MetricType::kCounter) return "_total";
    return type == MetricType::kInfo ? "_info" : "";
}

}  // namespace

MetricsFormat metrics_format(std::string_view accept) noexcept {
    return accept.find("application/openmetrics-text") != std::string_view::npos
               ? MetricsFormat::kOpenMetrics
               : MetricsFormat::kPrometheus;
}

std::string_view content_type(MetricsFormat format) noexcept {
    return format == MetricsFormat::kOpenMetrics
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

void Exposition::begin(const MetricRow& row) {
    row_ = &row;
    // OpenMetrics describes the family's name, Prometheus the samples' name.
    const bool is_open = format_ == MetricsFormat::kOpenMetrics;
    const std::string_view suffix = is_open ? std::string_view() : suffix_of(row.type);
    fmt::format_to(std::back_inserter(text_), "# HELP {}{} ", row.name, suffix);
    append_escaped(text_, row.help, is_open);
    fmt::format_to(std::back_inserter(text_), "\n# TYPE {}{} {}\n", row.name, suffix,
                   type_name(row.type, format_));
}

void Exposition::line(std::string_view suffix, MetricLabels labels, std::string_view last_label,
                      std::string_view value) {
    text_ += row_->name;
    text_ += suffix;
    if (labels.size() != 0 || !last_label.empty()) {
        char separator = '{';
        for (const MetricLabel& label : labels) {
            text_ += separator;
            text_ += label.name;
            text_ += "=\"";
            append_escaped(text_, label.value, true);
            text_ += '"';
            separator = ',';
        }
        if (!last_label.empty()) {
            text_ += separator;
            text_ += last_label;
        }
        text_ += '}';
    }
    text_ += ' ';
    text_ += value;
    text_ += '\n';
}

void Exposition::sample(MetricLabels labels, uint64_t value) {
    line(suffix_of(row_->type), labels, {}, fmt::format_int(value).c_str());
}

void Exposition::sample(MetricLabels labels, double value) {
    line(suffix_of(row_->type), labels, {}, fmt::format("{}", value));
}

void Exposition::histogram(MetricLabels labels, std::span<const HistogramBucket> buckets,
                           uint64_t count, double sum) {
    for (const HistogramBucket& bucket : buckets) {
        line("_bucket", labels, fmt::format("le=\"{}\"", bucket.up_to),
             fmt::format_int(bucket.count).c_str());
    }
    line("_bucket", labels, "le=\"+Inf\"", fmt::format_int(count).c_str());
    line("_sum", labels, {}, fmt::format("{}", sum));
    line("_count", labels, {}, fmt::format_int(count).c_str());
}

std::string Exposition::take() {
    if (format_ == MetricsFormat::kOpenMetrics) text_ += "# EOF\n";
    return std::move(text_);
}

}  // namespace podlane::control
