// Reports from the workers and the passing of time: neighbours, learned addresses, lost ports.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <string>

#include "control/node/node_model.h"

namespace podlane::control {

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
            if (links_.needed(key, now_ms_())) pending_ = true;
            return;
        case EventKind::kNeighbourSeen:
            if (links_.seen(key, event.mac, event.solicited, now_ms_())) pending_ = true;
            return;
        case EventKind::kMacLearned:
            // An uplink is routed, not bridged.
            if (links_.uplink_at(event.port) != nullptr || event.port == ports_.host()) return;
            if (links_.learn(event.mac, event.port, now_ms_())) pending_ = true;
            return;
        case EventKind::kPortLost:
            port_lost(event.port);
            return;
        case EventKind::kFlowProven:
            shortcut_.offered(FlowRef::unpacked(event.flow), now_ms_());
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
        tell_event("links", pod, line);
        if (auto done = detach(key, std::string(kSelf)); !done.ok()) {
            spdlog::error("pod {}: the port could not be removed: {}", pod, done.error().message);
        }
        return;
    }
    std::string name, port_name;
    std::string_view remedy = "restart podlaned when it is back";
    if (const UplinkConfig* uplink = links_.uplink_at(port)) {
        name = "uplink " + uplink->name;
        port_name = uplink->name;
        if (!uplink->mac) {
            remedy = "it is taken back when it is there again";
            lost_uplinks_.emplace(port, LostUplink{uplink});
        }
    } else if (port == ports_.host()) {
        name = "host interface " + config_.host->interface;
        port_name = config_.host->interface;
    } else {
        return;  // removed in the meantime
    }
    if (!links_.add_lost(name)) return;
    const std::string line = fmt::format("{}: its device is gone; {}", name, remedy);
    spdlog::error("{}", line);
    tell_event("links", port_name, line);
}

void NodeModel::wake_missed(PortId port) {
    if (!links_.set_unwoken(port)) return;
    for (const PortInfo& info : dataplane_.ports()) {
        if (info.id != port) continue;
        spdlog::warn(
            "port {}: its device does not wake an idle worker, which looks at it 10,000 times a "
            "second from now on; `idle: poll` has a lower latency",
            info.name);
    }
}

void NodeModel::look_at_links(uint64_t now_ms) {
    for (const LinkWatch::News& news : links_.look(now_ms)) {
        if (news.gone) {
            port_lost(news.port);
        } else {
            spdlog::log(news.good ? spdlog::level::info : spdlog::level::warn, news.text);
            tell_event("links", PortNames(dataplane_).name(news.port), news.text);
            tell_programs("ports", "");
        }
    }
}

void NodeModel::look_at_workers() {
    for (const Standstill::News& news : standstill_.look(dataplane_)) {
        spdlog::log(news.good ? spdlog::level::info : spdlog::level::err, news.text);
        tell_event("workers", "", news.text);
    }
}

void NodeModel::tick() {
    const uint64_t now = now_ms_();
    handle_events();  // offers, for which nobody has woken us
    look_at_workers();
    flow_watch_.tick(live());
    peer_watch_.tick(now);
    shortcut_.tick(now);
    announcements_.tick(now);
    if (links_.tick(now)) pending_ = true;
    look_at_links(now);
    take_back_uplinks(now);
    look_at_namespaces(now);
    if (keeper_ != nullptr) {
        keep_links(now);
        keeper_->tick(now);
    }
    for (const std::string& line : snat_watch_.look(dataplane_, now)) {
        spdlog::warn("{}", line);
        tell_event("snat", "", line);
    }
    for (const std::string& line : feeder_watch_.look(now)) {
        spdlog::warn("{}", line);
        tell_event("feeders", "", line);
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

}  // namespace podlane::control
