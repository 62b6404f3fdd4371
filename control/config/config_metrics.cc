// The part of ConfigReader about where podlaned tells of itself over HTTP.
#include <fmt/format.h>

#include <charconv>

#include "control/config/config_reader.h"

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

void ConfigReader::read_metrics(Fields section) {
    MetricsConfig& out = config_.metrics;
    if (const Value* listen = section.get("listen")) {
        // Unquoted, `off` is one of YAML's booleans.
        const bool is_off =
            listen->text() == "off" || (listen->is(ValueType::kBool) && listen->text() == "false");
        const auto place = parse_listen_place(listen->text());
        if (is_off) {
            out.listen.reset();
        } else if (place) {
            out.listen = place;
        } else {
            problems_.add(*listen, fmt::format("{} is not ADDRESS:PORT such as 127.0.0.1:9967 or "
                                               "[::1]:9967, or off",
                                               shown(*listen)));
        }
    }
    out.services =
        section.integer<uint32_t>("services", {0, 100'000, "a number of Services"}, out.services);
    section.finish();
}

}  // namespace podlane::control
