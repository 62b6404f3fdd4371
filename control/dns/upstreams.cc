#include "control/dns/upstreams.h"

#include <algorithm>
#include <utility>

namespace podlane::control {

void Upstreams::set(const std::vector<UpstreamDns>& servers) {
    std::vector<Upstream> next;
    for (const UpstreamDns& server : servers) {
        const Upstream* known = find(server);
        next.push_back(known != nullptr ? *known : Upstream{server});
    }
    all_ = std::move(next);
}

Upstream* Upstreams::find(const UpstreamDns& server) noexcept {
    const auto at = std::find_if(all_.begin(), all_.end(),
                                 [&](const Upstream& one) { return one.server == server; });
    return at != all_.end() ? &*at : nullptr;
}

std::vector<UpstreamDns> Upstreams::order() const {
    std::vector<UpstreamDns> out;
    for (const bool healthy : {true, false}) {
        for (const Upstream& one : all_) {
            if (one.is_healthy == healthy) out.push_back(one.server);
        }
    }
    return out;
}

void Upstreams::answered(const UpstreamDns& server, uint64_t took_us) {
    Upstream* one = find(server);
    if (one == nullptr) return;
    ++one->asked;
    one->is_healthy = true;
    one->failures_in_row = 0;
    one->answer_us = took_us;
}

void Upstreams::failed(const UpstreamDns& server, uint64_t now_ms) {
    Upstream* one = find(server);
    if (one == nullptr) return;
    ++one->asked;
    ++one->failed;
    if (++one->failures_in_row < kFailures) return;
    if (one->is_healthy) one->probe_ms = now_ms + kProbeIntervalMs;
    one->is_healthy = false;
}

bool Upstreams::has_edns(const UpstreamDns& server, uint64_t now_ms) noexcept {
    Upstream* one = find(server);
    if (one == nullptr) return true;
    if (!one->has_edns && now_ms >= one->edns_again_ms) one->has_edns = true;
    return one->has_edns;
}

bool Upstreams::probes_plainly(const UpstreamDns& server) noexcept {
    const Upstream* one = find(server);
    return one != nullptr && one->failures_in_row % 2 == 1;
}

void Upstreams::took_edns(const UpstreamDns& server) noexcept {
    Upstream* one = find(server);
    if (one != nullptr) one->edns_silences = 0;
}

void Upstreams::silent_to_edns(const UpstreamDns& server, uint64_t now_ms) noexcept {
    Upstream* one = find(server);
    // The count is not reset when EDNS is tried again: then one more silence is enough.
    if (one != nullptr && ++one->edns_silences >= kSilences) lacks_edns(server, now_ms);
}

void Upstreams::lacks_edns(const UpstreamDns& server, uint64_t now_ms) noexcept {
    Upstream* one = find(server);
    if (one == nullptr) return;
    one->has_edns = false;
    one->edns_again_ms = now_ms + kPlainMs;
}

std::vector<UpstreamDns> Upstreams::due(uint64_t now_ms) {
    std::vector<UpstreamDns> out;
    for (Upstream& one : all_) {
        if (one.is_healthy || one.probe_ms > now_ms) continue;
        one.probe_ms = now_ms + kProbeIntervalMs;
        out.push_back(one.server);
    }
    return out;
}

std::vector<UpstreamDns> parse_resolv_conf(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r";
    std::vector<UpstreamDns> out;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        constexpr std::string_view kWord = "nameserver";
        if (!line.starts_with(kWord)) continue;
        line.remove_prefix(kWord.size());
        const size_t begin = line.find_first_not_of(kBlanks);
        if (begin == 0 || begin == std::string_view::npos) continue;
        line.remove_prefix(begin);
        const auto server = parse_scoped_address(line.substr(0, line.find_first_of(kBlanks)));
        if (!server) continue;
        if (std::find(out.begin(), out.end(), *server) == out.end()) out.push_back(*server);
    }
    return out;
}

}  // namespace podlane::control
