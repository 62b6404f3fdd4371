#include "control/config/metrics_config.h"

#include <fmt/format.h>

#include <charconv>

#include "control/config/section.h"

namespace podlane::control {

std::optional<ListenPlace> parse_listen_place(std::string_view text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    if (!address || address->is_v6() != in_brackets) return std::nullopt;
    ListenPlace place{*address, 0};
    const std::string_view digits = text.substr(colon + 1);
    const char* const end = digits.data() + digits.size();
    const auto [parsed, error] = std::from_chars(digits.data(), end, place.port);
    if (error != std::errc{} || parsed != end || place.port == 0) return std::nullopt;
    return place;
}

namespace {

/// A word of the configuration; YAML reads unquoted `on` and `off` as booleans.
std::string word_of(const Value& value) {
    if (!value.is(ValueType::kBool)) return std::string(value.text());
    return value.text() == "false" ? "off" : "on";
}

PageSwitch read_page(const Value& value, Problems& problems) {
    const std::string word = word_of(value);
    if (word == "on") return PageSwitch::kOn;
    if (word == "off") return PageSwitch::kOff;
    if (word != "auto") {
        problems.add(value, fmt::format("{} is not auto, on or off", shown(value)));
    }
    return PageSwitch::kAuto;
}

bool is_loopback(const IpAddress& address) {
    return address.is_v4() ? address.as<V4>().is_loopback() : address.as<V6>().is_loopback();
}

}  // namespace

bool MetricsConfig::shows_page() const noexcept {
    if (!listen || page == PageSwitch::kOff) return false;
    return page == PageSwitch::kOn || is_loopback(listen->address);
}

MetricsConfig read_metrics(const Value* section, Problems& problems) {
    constexpr IntegerRange kServices{0, 100'000, "a number of Services"};
    MetricsConfig out;
    Fields fields(section, problems, Keys::kStrict);
    if (const Value* listen = fields.get("listen")) {
        const bool is_off = word_of(*listen) == "off";
        out.listen = parse_listen_place(listen->text());
        if (!is_off && !out.listen) {
            problems.add(*listen, fmt::format("{} is not ADDRESS:PORT such as 127.0.0.1:9967 or "
                                              "[::1]:9967, or off",
                                              shown(*listen)));
        }
    }
    out.services = fields.integer<uint32_t>("services", kServices, out.services);
    if (const Value* page = fields.get("page")) out.page = read_page(*page, problems);
    fields.finish();
    return out;
}

Result<MetricsConfig> load_metrics_config(const std::string& path) {
    MetricsConfig out;
    const auto done = read_section(path, "metrics", [&](const Value* section, Problems& problems) {
        out = read_metrics(section, problems);
    });
    if (!done.ok()) return done.error();
    return out;
}

std::string describe(const MetricsConfig& metrics) {
    if (!metrics.listen) return "metrics    off\n";
    return fmt::format("metrics    http://{}/metrics, series for {} Services; {}\n",
                       to_string(metrics.listen->address, metrics.listen->port), metrics.services,
                       metrics.shows_page() ? "a page at /" : "no page");
}

}  // namespace podlane::control
