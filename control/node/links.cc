#include "control/node/links.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/node/live_view.h"
#include "control/node/next_hops.h"

namespace podlane::control {

namespace {

/// One of our addresses to ask from: in the target's subnet if possible, else in its family.
std::optional<IpAddress> source_towards(const UplinkConfig& uplink, const IpAddress& target) {
    std::optional<IpAddress> other;
    for (const InterfaceAddress& own : uplink.addresses) {
        if (own.subnet().contains(target)) return own.address;
        if (!other && own.address.is_v4() == target.is_v4()) other = own.address;
    }
    return other;
}

}  // namespace

Links::Links(const NodeConfig& config, Dataplane& dataplane) : dataplane_(dataplane) {
    for (const PortInfo& port : dataplane_.ports()) {
        for (const UplinkConfig& uplink : config.uplinks) {
            if (uplink.name != port.name) continue;
            uplinks_[port.id] = &uplink;
            for (const NeighborConfig& neighbour : uplink.neighbors) {
                neighbours_.add_static({port.id, neighbour.address}, neighbour.mac);
            }
        }
    }
    macs_.add_static(gateway_mac_of(config), kNoPort);
}

void Links::restore(const KeptLinks& kept, uint64_t now_ms) {
    std::map<std::string, PortInfo, std::less<>> ports;
    for (PortInfo& port : dataplane_.ports()) ports.emplace(port.name, std::move(port));
    for (const KeptLinks::Neighbour& each : kept.neighbours) {
        const auto port = ports.find(each.port);
        if (port == ports.end() || uplink_at(port->second.id) == nullptr) continue;
        neighbours_.restore({port->second.id, each.address}, each.mac, now_ms);
    }
    for (const KeptLinks::Learned& each : kept.macs) {
        const auto port = ports.find(each.port);
        if (port != ports.end()) static_cast<void>(macs_.learn(each.mac, port->second.id, now_ms));
    }
}

KeptLinks Links::to_keep() const {
    const PortNames names(dataplane_);
    KeptLinks out;
    for (const auto& [key, neighbour] : neighbours_.all()) {
        if (!neighbour.is_resolved() || neighbour.state == NeighbourState::kStatic) continue;
        out.neighbours.push_back({std::string(names.name(key.port)), key.address, neighbour.mac});
    }
    for (const auto& [mac, learned] : macs_.learned()) {
        out.macs.push_back({std::string(names.name(learned.port)), mac});
    }
    return out;
}

const UplinkConfig* Links::uplink_at(PortId port) const {
    const auto at = uplinks_.find(port);
    return at != uplinks_.end() ? at->second : nullptr;
}

bool Links::needed(const NeighbourKey& key, uint64_t now_ms) {
    // Pods and the kernel are known; only an uplink has neighbours to find.
    return uplink_at(key.port) != nullptr && carry_out(neighbours_.needed(key, now_ms));
}

bool Links::seen(const NeighbourKey& key, const MacAddress& mac, bool solicited, uint64_t now_ms) {
    return uplink_at(key.port) != nullptr &&
           carry_out(neighbours_.seen(key, mac, solicited, now_ms));
}

bool Links::set_wanted(const std::vector<WantedNeighbour>& wanted, uint64_t now_ms) {
    std::set<NeighbourKey> keys;
    for (const WantedNeighbour& neighbour : wanted)
        keys.insert({neighbour.port, neighbour.address});
    return carry_out(neighbours_.set_wanted(std::move(keys), now_ms));
}

bool Links::tick(uint64_t now_ms) {
    const bool neighbours_changed = carry_out(neighbours_.tick(now_ms));
    const bool macs_changed = macs_.tick(now_ms);
    return neighbours_changed || macs_changed;
}

std::vector<LinkWatch::News> Links::look(uint64_t now_ms) {
    return watch_.look(dataplane_, now_ms);
}

bool Links::add_lost(std::string name) {
    if (std::find(lost_.begin(), lost_.end(), name) != lost_.end()) return false;
    lost_.push_back(std::move(name));
    return true;
}

void Links::drop_uplink(PortId port) {
    uplinks_.erase(port);
    unwoken_.erase(port);
}

void Links::take_back_uplink(const UplinkConfig& uplink, PortId port) {
    uplinks_[port] = &uplink;
    for (const NeighborConfig& neighbour : uplink.neighbors) {
        neighbours_.add_static({port, neighbour.address}, neighbour.mac);
    }
    std::erase(lost_, "uplink " + uplink.name);
}

bool Links::has_no_way_out() const {
    return !uplinks_.empty() && std::ranges::all_of(uplinks_, [this](const auto& uplink) {
        return watch_.is_down(uplink.first);
    });
}

std::set<PortId> Links::answered_ports() const {
    std::set<PortId> ports;
    for (const auto& [key, neighbour] : neighbours_.all()) {
        const bool is_told = neighbour.state == NeighbourState::kStatic;
        if (neighbour.is_resolved() && !is_told) ports.insert(key.port);
    }
    return ports;
}

Links::Troubles Links::troubles(const std::vector<WantedNeighbour>& wanted,
                                const ObjectStore& store, uint64_t now_ms) const {
    Troubles found;
    for (const std::string& name : lost_) found.problems.push_back(name + ": its device is gone");
    const PortNames names(dataplane_);
    const std::set<PortId> answered = answered_ports();
    for (const WantedNeighbour& one : wanted) {
        const Neighbour* neighbour = neighbours_.find({one.port, one.address});
        if (neighbour == nullptr || neighbour->state != NeighbourState::kFailed) continue;
        const bool is_its_own = answered.contains(one.port) && is_node(store, one.address);
        (is_its_own ? found.elsewhere : found.problems)
            .push_back(fmt::format("{}: next hop {} does not answer", names.name(one.port),
                                   address_with_node(store, one.address)));
    }
    for (std::string& line : watch_.problems(now_ms)) found.problems.push_back(std::move(line));
    if (has_no_way_out()) {
        found.problems.emplace_back(
            "not ready: no uplink has a link, so pods reach only this node");
    }
    return found;
}

std::string Links::text_of(const Told& before, const Told& now) {
    if (!now.mac.is_zero() && before.mac.is_zero()) return "reachable at " + to_string(now.mac);
    if (!now.mac.is_zero() && before.mac != now.mac) {
        return fmt::format("moved to {}, was at {}", to_string(now.mac), to_string(before.mac));
    }
    if (now.state == NeighbourState::kFailed && before.state != NeighbourState::kFailed) {
        return before.mac.is_zero() ? "does not answer" : "does not answer any more";
    }
    return {};
}

std::vector<Links::NeighbourNews> Links::neighbour_news() {
    std::vector<NeighbourNews> news;
    std::map<IpAddress, Told> now;
    for (const auto& [key, neighbour] : neighbours_.all()) {
        now[key.address] = {neighbour.state,
                            neighbour.is_resolved() ? neighbour.mac : MacAddress{}};
    }
    for (const auto& [address, state] : now) {
        const auto before = told_.find(address);
        if (before == told_.end()) {
            const Told unknown{NeighbourState::kIncomplete, MacAddress{}};
            news.push_back({NewsType::kAdded, address, text_of(unknown, state)});
        } else if (before->second != state) {
            news.push_back({NewsType::kModified, address, text_of(before->second, state)});
        }
    }
    for (const auto& [address, state] : told_) {
        if (now.contains(address)) continue;
        news.push_back(
            {NewsType::kDeleted, address, state.mac.is_zero() ? "" : "not needed any more"});
    }
    told_ = std::move(now);
    return news;
}

bool Links::carry_out(const NeighbourOutcome& outcome) {
    for (const Solicitation& ask : outcome.solicitations) solicit(ask);
    return outcome.changed;
}

void Links::solicit(const Solicitation& ask) {
    const UplinkConfig* uplink = uplink_at(ask.key.port);
    if (uplink == nullptr) return;
    Command command;
    command.kind = CommandKind::kSolicit;
    command.port = ask.key.port;
    command.mac = ask.unicast_to;
    command.our_mac = dataplane_.current()->port(ask.key.port).mac;
    command.address = RawAddress::from(ask.key.address);
    command.source.is_v6 = ask.key.address.is_v6();
    if (const auto source = source_towards(*uplink, ask.key.address)) {
        command.source = RawAddress::from(*source);
    }
    // A full ring has the same effect as a lost frame: the table asks again.
    (void)dataplane_.command(command);
}

}  // namespace podlane::control
