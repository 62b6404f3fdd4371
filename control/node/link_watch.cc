#include "control/node/link_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podlane::control {

namespace {

constexpr uint64_t kLinkLookMs = 1000;
/// A port's losses are reported at most once in this time, and count as a problem this long.
constexpr uint64_t kLossesMs = 60'000;
/// A device that took hardly any frames is a problem for this long afterwards.
constexpr uint64_t kBlockedMs = 3000;
/// If fewer frames than this are rejected between two checks, the device does not count as blocked.
constexpr uint64_t kLeastUnsent = 20;

/// "12 device_missed, 3 device_rx_error"; empty if there are none.
std::string text_of(const DeviceLosses& losses) {
    std::string text;
    losses.for_each([&text](Drop reason, uint64_t frames) {
        if (frames == 0) return;
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", frames, drop_info(reason).name);
    });
    return text;
}

uint64_t sum_of(const DeviceLosses& losses) {
    uint64_t sum = 0;
    losses.for_each([&sum](Drop, uint64_t frames) { sum += frames; });
    return sum;
}

std::string shaped_in_vain(const std::string& port, std::string_view shaper) {
    return fmt::format(
        "{}: tc shapes its interface ({}), and its frames go past that "
        "(docs/config.md, qdisc_bypass)",
        port, shaper);
}

/// A static pod's port is a device; what a pod does to its own interface is up to the pod.
bool is_watched(const PortInfo& port) {
    return port.kind != PortKind::kPod || !port.is_tap;
}

}  // namespace

void LinkWatch::look_at(Watched& port, const PortState& now, uint64_t now_ms,
                        std::vector<News>& news) {
    if (const LinkState before = std::exchange(port.link, now.link.state); before != port.link) {
        const char* what = port.link == LinkState::kUp     ? "its link is up again"
                           : port.link == LinkState::kDown ? "its link is down"
                                                           : "its device is gone";
        news.push_back({now.id, fmt::format("{}: {}", port.name, what), port.link == LinkState::kUp,
                        port.link == LinkState::kGone});
    }
    if (std::exchange(port.bypassed_shaper, now.bypassed_shaper) != now.bypassed_shaper) {
        const bool is_gone = port.bypassed_shaper.empty();
        news.push_back({now.id,
                        is_gone ? port.name + ": its interface is not shaped any more"
                                : shaped_in_vain(port.name, port.bypassed_shaper),
                        is_gone});
    }
    const uint64_t lost_before = sum_of(port.losses), lost_now = sum_of(now.losses);
    if (lost_now > lost_before) port.lost_ms = now_ms;
    if (lost_now < lost_before) {  // another device, which begins anew
        port.lost_ms = port.told_ms = 0;
        port.told_losses = {};
    }
    port.losses = now.losses;
    const std::string lost = text_of(port.losses.since(port.told_losses));
    if (lost.empty() || (port.told_ms != 0 && now_ms - port.told_ms < kLossesMs)) return;
    port.told_losses = port.losses;
    port.told_ms = now_ms;
    news.push_back({now.id, fmt::format("{}: its device lost frames: {}", port.name, lost)});
}

void LinkWatch::look_at_sending(Watched& port, PortId id, const Dataplane& dataplane,
                                uint64_t now_ms, std::vector<News>& news) {
    uint64_t sent = 0, unsent = 0;
    for (const WorkerInfo& worker : dataplane.workers()) {
        const PortCounters& counters = dataplane.counters(worker.id).ports[index_of(id)];
        sent += counters.tx_packets.get();
        unsent += counters.tx_dropped.get();
    }
    const uint64_t sent_now = sent - std::exchange(port.sent, sent);
    const uint64_t unsent_now = unsent - std::exchange(port.unsent, unsent);
    const bool was_blocked = port.blocked_ms != 0;
    if (port.link == LinkState::kUp && unsent_now >= kLeastUnsent && unsent_now > 9 * sent_now) {
        port.blocked_ms = now_ms;
    } else if (now_ms - port.blocked_ms >= kBlockedMs) {
        port.blocked_ms = 0;
    }
    if (was_blocked == (port.blocked_ms != 0)) return;
    news.push_back({id,
                    was_blocked ? fmt::format("{}: its device takes frames again", port.name)
                                : fmt::format("{}: its device takes no frames: {} of {} were lost",
                                              port.name, unsent_now, sent_now + unsent_now),
                    was_blocked});
}

std::vector<LinkWatch::News> LinkWatch::look(const Dataplane& dataplane, uint64_t now_ms) {
    std::vector<News> news;
    if (now_ms < look_again_ms_) return news;
    look_again_ms_ = now_ms + kLinkLookMs;
    const std::vector<PortInfo> ports = dataplane.ports();
    const std::vector<PortState> states = dataplane.port_states();
    std::erase_if(watched_, [&ports](const auto& entry) {
        return std::none_of(ports.begin(), ports.end(), [&entry](const PortInfo& port) {
            return port.id == entry.first && port.name == entry.second.name;
        });
    });
    for (size_t i = 0; i < std::min(ports.size(), states.size()); ++i) {
        if (!is_watched(ports[i])) continue;
        const bool is_new = !watched_.contains(ports[i].id);
        Watched& watched = watched_[ports[i].id];
        watched.name = ports[i].name;
        PortState state = states[i];
        // Frames that the node's own kernel sends too fast are its own loss, not a device's fault.
        if (ports[i].is_tap && ports[i].kind != PortKind::kUplink) state.losses = {};
        look_at(watched, state, now_ms, news);
        // Earlier counts may belong to another port that had this number.
        std::vector<News> unheard;
        look_at_sending(watched, ports[i].id, dataplane, now_ms, is_new ? unheard : news);
        if (is_new) watched.blocked_ms = 0;
    }
    return news;
}

bool LinkWatch::is_down(PortId port) const {
    const auto at = watched_.find(port);
    return at != watched_.end() && at->second.link != LinkState::kUp;
}

std::vector<std::string> LinkWatch::problems(uint64_t now_ms) const {
    std::vector<std::string> lines;
    for (const auto& [id, port] : watched_) {
        if (port.link == LinkState::kDown) lines.push_back(port.name + ": its link is down");
        if (port.blocked_ms != 0) lines.push_back(port.name + ": its device takes no frames");
        if (!port.bypassed_shaper.empty()) {
            lines.push_back(shaped_in_vain(port.name, port.bypassed_shaper));
        }
        if (port.lost_ms != 0 && now_ms - port.lost_ms < kLossesMs) {
            lines.push_back(fmt::format("{}: its device loses frames: {} in all", port.name,
                                        text_of(port.losses)));
        }
    }
    return lines;
}

}  // namespace podlane::control
