// What the workers report, and what time brings: neighbours, learned addresses, lost ports.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "control/node/node_model.h"

namespace podlane::control {

namespace {

/// RFC 5227 section 1.1: ANNOUNCE_NUM and ANNOUNCE_INTERVAL. The second one is for links that were
/// not up yet when the first went out.
constexpr unsigned kAnnouncements = 2;
constexpr uint64_t kAnnounceIntervalMs = 2000;

/// An address of ours to ask from: in the target's subnet if there is one, else of its family.
std::optional<IpAddress> source_towards(const UplinkConfig& uplink, const IpAddress& target) {
    std::optional<IpAddress> other;
    for (const InterfaceAddress& own : uplink.addresses) {
        if (own.subnet().contains(target)) return own.address;
        if (!other && own.address.is_v4() == target.is_v4()) other = own.address;
    }
    return other;
}

}  // namespace

const UplinkConfig* NodeModel::uplink_at(PortId port) const {
    const auto at = uplinks_.find(port);
    return at != uplinks_.end() ? at->second : nullptr;
}

void NodeModel::handle_events() {
    std::array<Event, 64> events;
    size_t count = 0;
    do {
        count = dataplane_.take_events(events);
        for (size_t i = 0; i < count; ++i) handle(events[i]);
    } while (count == events.size());
}

void NodeModel::handle(const Event& event) {
    const NeighbourKey key{event.port, event.address.to_ip()};
    switch (event.kind) {
        case EventKind::kNeighbourNeeded:
            // Pods and the kernel are known; only a wire has neighbours to find.
            if (uplink_at(event.port) != nullptr) carry_out(neighbours_.needed(key, now_ms_()));
            return;
        case EventKind::kNeighbourSeen:
            if (uplink_at(event.port) == nullptr) return;
            carry_out(neighbours_.seen(key, event.mac, event.solicited, now_ms_()));
            return;
        case EventKind::kMacLearned:
            // An uplink is routed, not bridged.
            if (uplink_at(event.port) != nullptr || event.port == ports_.host()) return;
            if (macs_.learn(event.mac, event.port, now_ms_())) pending_ = true;
            return;
        case EventKind::kPortLost:
            port_lost(event.port);
            return;
        case EventKind::kWakeMissed:
            wake_missed(event.port);
            return;
    }
}

void NodeModel::port_lost(PortId port) {
    if (const AttachedPod* attached = ports_.at(port)) {
        const std::string pod = attached->name;
        const bool is_static = attached->is_static;
        const PodPortKey key = attached->key();
        const std::string line = fmt::format("pod {}: its {} is gone, port removed", pod,
                                             is_static ? "device" : "network namespace");
        spdlog::info("{}", line);
        tell_event(line);
        if (auto done = detach(key); !done.ok()) {
            spdlog::error("pod {}: the port could not be removed: {}", pod, done.error().message);
        }
        return;
    }
    std::string name;
    if (const UplinkConfig* uplink = uplink_at(port)) {
        name = "uplink " + uplink->name;
    } else if (port == ports_.host()) {
        name = "host interface " + config_.host->interface;
    } else {
        return;  // removed meanwhile
    }
    if (std::find(lost_ports_.begin(), lost_ports_.end(), name) != lost_ports_.end()) return;
    const std::string line =
        fmt::format("{}: its device is gone; restart podlaned when it is back", name);
    spdlog::error("{}", line);
    tell_event(line);
    lost_ports_.push_back(std::move(name));
}

void NodeModel::wake_missed(PortId port) {
    if (!unwoken_.insert(port).second) return;
    for (const PortInfo& info : dataplane_.ports()) {
        if (info.id != port) continue;
        spdlog::warn(
            "port {}: its device does not wake an idle worker, which looks at it 10,000 times a "
            "second from now on; `idle: poll` has a lower latency",
            info.name);
    }
}

void NodeModel::look_at_links(uint64_t now_ms) {
    for (const LinkWatch::News& news : link_watch_.look(dataplane_, now_ms)) {
        if (news.gone) {
            port_lost(news.port);
        } else {
            spdlog::log(news.good ? spdlog::level::info : spdlog::level::warn, news.text);
            tell_event(news.text);
            tell("ports", NewsType::kModified, "");
        }
    }
}

void NodeModel::tick() {
    const uint64_t now = now_ms_();
    if (announcements_ < kAnnouncements &&
        now - started_ms_ >= announcements_ * kAnnounceIntervalMs) {
        announce_addresses();
    }
    repeat_announcements(now);
    carry_out(neighbours_.tick(now));
    if (macs_.tick(now)) pending_ = true;
    look_at_links(now);
    probes_.tick(now);
    for (const std::string& line : snat_watch_.look(dataplane_, now)) {
        spdlog::warn("{}", line);
        tell_event(line);
    }
}

void NodeModel::publish_pending() {
    if (!pending_) return;
    if (auto published = publish(nullptr, true); !published.ok()) {
        pending_ = false;
        spdlog::error("neighbours and learned addresses could not be published: {}",
                      published.error().message);
    }
}

void NodeModel::carry_out(const NeighbourOutcome& outcome) {
    if (outcome.changed) pending_ = true;
    for (const Solicitation& ask : outcome.solicitations) solicit(ask);
}

void NodeModel::solicit(const Solicitation& ask) {
    const UplinkConfig* uplink = uplink_at(ask.key.port);
    if (uplink == nullptr) return;
    Command command;
    command.kind = CommandKind::kSolicit;
    command.port = ask.key.port;
    command.mac = ask.unicast_to;
    command.our_mac = compiler_.current()->port(ask.key.port).mac;
    command.address = RawAddress::from(ask.key.address);
    command.source.is_v6 = ask.key.address.is_v6();
    if (const auto source = source_towards(*uplink, ask.key.address)) {
        command.source = RawAddress::from(*source);
    }
    // A full ring is as good as a lost frame: the table asks again.
    (void)dataplane_.command(command);
}

void NodeModel::announce_addresses() {
    ++announcements_;
    for (const auto& [port, uplink] : uplinks_) {
        for (const InterfaceAddress& own : uplink->addresses) announce(port, own.address);
    }
}

namespace {

Command announcement(CommandKind kind, PortId port, const MacAddress& mac,
                     const IpAddress& address) {
    Command command;
    command.kind = kind;
    command.port = port;
    command.our_mac = mac;
    command.address = RawAddress::from(address);
    command.source = command.address;
    return command;
}

}  // namespace

void NodeModel::announce(PortId port, const IpAddress& address) {
    const MacAddress& mac = compiler_.current()->port(port).mac;
    (void)dataplane_.command(announcement(CommandKind::kAnnounce, port, mac, address));
}

void NodeModel::announce_pod(const AttachedPod& pod) {
    for (const IpAddress& address : pod.addresses) {
        const auto command =
            announcement(CommandKind::kAnnouncePod, pod.port.id(), pod.mac, address);
        if (!dataplane_.command(command)) {
            spdlog::warn("pod {}: who knew {} by another MAC address may take a minute to find it",
                         pod.pod, to_string(address));
        }
    }
}

void NodeModel::refresh_wanted() {
    std::set<NeighbourKey> wanted;
    for (const WantedNeighbour& neighbour : compiler_.wanted_neighbours()) {
        wanted.insert({neighbour.port, neighbour.address});
    }
    carry_out(neighbours_.set_wanted(std::move(wanted), now_ms_()));
}

}  // namespace podlane::control
