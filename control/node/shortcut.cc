#include "control/node/shortcut.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "control/shortcut/entries.h"

namespace podlane::control {

namespace {

constexpr uint64_t kSweepMs = 1000;
/// Programs run for microseconds; a slot rests for longer.
constexpr uint64_t kSlotRestMs = 1000;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

/// Ordered so that what was stored before is seen by a program that sees this.
template <class T>
void store(T& where, T value) noexcept {
    std::atomic_ref(where).store(value, std::memory_order_release);
}
template <class T>
T load(T& where) noexcept {
    return std::atomic_ref(where).load(std::memory_order_acquire);
}

}  // namespace

void Shortcut::add_port(PortId port, int node_end, const MacAddress& mac) {
    if (is_on()) ports_[port] = {PortKind::kPod, static_cast<uint32_t>(node_end), mac};
}

void Shortcut::add_uplink(PortId port, int nic) {
    if (is_on()) ports_[port] = {PortKind::kUplink, static_cast<uint32_t>(nic), {}};
}

void Shortcut::add_host(PortId port, int ifindex, const MacAddress& mac) {
    if (is_on()) ports_[port] = {PortKind::kHost, static_cast<uint32_t>(ifindex), mac};
}

void Shortcut::remove_port(PortId port) {
    if (ports_.erase(port) == 0) return;
    for (auto at = carried_.begin(); at != carried_.end();) {
        const auto here = at++;
        const auto concerns = [port](const Way& way) { return way.in == port || way.out == port; };
        if (!std::ranges::any_of(here->second.ways, concerns)) continue;
        stop(here->second);
        note(FlowRef::unpacked(here->first), here->second);
        remove(here, sweep_ms_ + kSweepMs);
    }
}

const Shortcut::Port* Shortcut::port_of(PortId port) const {
    const auto at = ports_.find(port);
    return at != ports_.end() ? &at->second : nullptr;
}

bool Shortcut::joins(PortId one, PortId other) const {
    const Port* const here = port_of(one);
    const Port* const there = port_of(other);
    return one != other && here != nullptr && there != nullptr &&
           (here->kind == PortKind::kPod || there->kind == PortKind::kPod);
}

bool Shortcut::may_carry(const CarriedFlow& flow) const {
    const CarriedWay& there = flow.ways[0];
    const CarriedWay& back = flow.ways[1];
    // The two directions lead to each other.
    return there.is_valid && back.is_valid && there.in == back.out && there.out == back.in &&
           joins(there.in, there.out);
}

shortcut_rewrite Shortcut::rewrite_of(const CarriedFlow& flow, size_t direction, uint32_t slot,
                                      uint32_t reverse_slot) const {
    const CarriedWay& way = flow.ways[direction];
    const Port& from = *port_of(way.in);
    const Port& to = *port_of(way.out);
    shortcut_rewrite out =
        shortcut_rewrite_of(way, flow.ways[direction ^ 1], from.mac, to.device, slot, reverse_slot);
    if (from.kind == PortKind::kUplink) out.flags |= SHORTCUT_COMES | SHORTCUT_MACS;
    // On its way out of the node's own stack, a frame can only go out again.
    if (to.kind == PortKind::kUplink || from.kind == PortKind::kHost) {
        out.flags |= SHORTCUT_LEAVES | SHORTCUT_MACS;
    }
    if (to.kind == PortKind::kHost) out.flags |= SHORTCUT_NODE | SHORTCUT_MACS;
    return out;
}

void Shortcut::offered(FlowRef flow, uint64_t now_ms) {
    if (!is_on() || rests_) return;
    const auto now = dataplane_.flow_to_carry(flow);
    if (!now) return;
    if (const auto there = carried_.find(flow.packed()); there != carried_.end()) {
        if (leads_as_before(there->second, *now)) {
            stamp(there->second, *now);
            return;
        }
        stop(there->second);
        note(flow, there->second);
        remove(there, now_ms);
    }
    if (!may_carry(*now)) return;
    add(flow, *now, now_ms);
}

bool Shortcut::take_slots(std::array<uint32_t, 2>& slots, uint64_t now_ms) {
    for (uint32_t& slot : slots) {
        if (next_slot_ < kernel_->slots()) {
            slot = next_slot_++;
        } else if (!resting_.empty() && resting_.front().first <= now_ms) {
            slot = resting_.front().second;
            resting_.pop_front();
        } else {
            if (&slot != slots.data()) resting_.emplace_front(0, slots[0]);
            return false;
        }
    }
    return true;
}

void Shortcut::add(FlowRef flow, const CarriedFlow& now, uint64_t now_ms) {
    std::array<uint32_t, 2> slots{};
    if (!take_slots(slots, now_ms)) return;
    Carried carried;
    carried.checks_service = now.checks_service;
    for (size_t i = 0; i < 2; ++i) {
        const CarriedWay& way = now.ways[i];
        kernel_->state(slots[i]) = {};
        carried.ways[i] = {.key = shortcut_key_of(way, now.protocol, port_of(way.in)->device),
                           .rewrite = rewrite_of(now, i, slots[i], slots[i ^ 1]),
                           .adjacency = way.adjacency,
                           .slot = slots[i],
                           .in = way.in,
                           .out = way.out};
    }
    const auto at = carried_.insert_or_assign(flow.packed(), carried).first;
    for (size_t i = 0; i < 2; ++i) {
        if (!kernel_->put(carried.ways[i].key, carried.ways[i].rewrite)) {
            remove(at, now_ms);
            return;
        }
        if ((carried.ways[i].rewrite.flags & (SHORTCUT_LEAVES | SHORTCUT_NODE)) == 0) continue;
        const uint32_t adjacency = now.ways[i].adjacency;
        next_hops_.insert_or_assign(adjacency, dataplane_.current()->adjacencies[adjacency]);
    }
    stamp(carried, now);
}

bool Shortcut::leads_as_before(const Carried& carried, const CarriedFlow& now) const {
    for (size_t i = 0; i < 2; ++i) {
        const CarriedWay& way = now.ways[i];
        const Way& was = carried.ways[i];
        // Not valid: its next packet asks, and may lead anywhere.
        if (!way.is_valid) continue;
        if (way.in != was.in || way.out != was.out) return false;
        shortcut_rewrite is = rewrite_of(now, i, was.slot, carried.ways[i ^ 1].slot);
        if (!now.ways[i ^ 1].is_valid) std::ranges::copy(was.rewrite.router_mac, is.router_mac);
        if (std::memcmp(&is, &was.rewrite, sizeof(is)) != 0) return false;
    }
    return true;
}

void Shortcut::stamp(const Carried& carried, const CarriedFlow& now) {
    for (size_t i = 0; i < 2; ++i) {
        const CarriedWay& way = now.ways[i];
        shortcut_state& state = kernel_->state(carried.ways[i].slot);
        const uint64_t at = index_of(way.service) % services_.size();
        store(state.service, carried.checks_service ? __u64{at << 32 | services_[at]} : 0);
        store(state.epoch, way.is_valid ? way.epoch : 0);
    }
}

void Shortcut::stop(const Carried& carried) {
    for (const Way& way : carried.ways) store(kernel_->state(way.slot).stopped, uint32_t{1});
}

void Shortcut::remove(Flows::iterator at, uint64_t now_ms) {
    for (const Way& way : at->second.ways) {
        kernel_->erase(way.key, way.slot);
        resting_.emplace_back(now_ms + kSlotRestMs, way.slot);
    }
    carried_.erase(at);
}

bool Shortcut::note(FlowRef flow, Carried& carried) {
    CarriedTraffic traffic;
    for (size_t i = 0; i < 2; ++i) {
        Way& way = carried.ways[i];
        shortcut_state& state = kernel_->state(way.slot);
        const uint64_t packets = load(state.packets);
        const uint64_t bytes = load(state.bytes);
        const auto seen_s = static_cast<uint32_t>(load(state.last_ns) / kNsPerSecond);
        traffic.packets[i] = packets - way.packets;
        traffic.bytes[i] = bytes - way.bytes;
        traffic.last_seen_s = std::max(traffic.last_seen_s, seen_s);
        way.packets = packets;
        way.bytes = bytes;
        if (const auto in = ports_.find(way.in); in != ports_.end()) {
            in->second.traffic.from_packets += traffic.packets[i];
            in->second.traffic.from_bytes += traffic.bytes[i];
        }
        if (const auto out = ports_.find(way.out); out != ports_.end()) {
            out->second.traffic.to_packets += traffic.packets[i];
            out->second.traffic.to_bytes += traffic.bytes[i];
        }
    }
    return dataplane_.note_carried(flow, traffic);
}

void Shortcut::sweep(uint64_t now_ms) {
    std::vector<std::pair<FlowRef, CarriedFlow>> again;
    for (auto at = carried_.begin(); at != carried_.end();) {
        const auto here = at++;
        const FlowRef flow = FlowRef::unpacked(here->first);
        const bool is_stopped = std::ranges::any_of(here->second.ways, [this](const Way& way) {
            return load(kernel_->state(way.slot).stopped) != 0;
        });
        if (is_stopped) stop(here->second);
        const bool lives = note(flow, here->second);
        const auto now = lives && !is_stopped ? dataplane_.flow_to_carry(flow) : std::nullopt;
        if (now && leads_as_before(here->second, *now)) {
            stamp(here->second, *now);
            continue;
        }
        stop(here->second);
        remove(here, now_ms);
        // Its next hop may say something else: workers do not offer it again for that.
        if (now && may_carry(*now)) again.emplace_back(flow, *now);
    }
    for (const auto& [flow, now] : again) add(flow, now, now_ms);
    if (carried_.empty()) next_hops_.clear();
}

namespace {

bool says_the_same(const Adjacency& one, const Adjacency& other) {
    return one.kind == other.kind && one.port == other.port && one.mtu == other.mtu &&
           one.dst == other.dst && one.src == other.src && one.outer == other.outer;
}

}  // namespace

void Shortcut::follow_next_hops(const Snapshot& next) {
    const auto adjacencies = next.adjacencies.view();
    std::vector<uint32_t> changed;
    for (auto& [number, was] : next_hops_) {
        const Adjacency now = number < next.adjacencies.size() ? adjacencies[number] : Adjacency{};
        if (says_the_same(was, now)) continue;
        was = now;
        changed.push_back(number);
    }
    if (changed.empty()) return;
    for (const auto& [flow, carried] : carried_) {
        for (const Way& way : carried.ways) {
            if (std::ranges::find(changed, way.adjacency) == changed.end()) continue;
            store(kernel_->state(way.slot).epoch, uint32_t{0});
        }
    }
}

void Shortcut::tick(uint64_t now_ms) {
    if (!is_on() || rests_ || now_ms < sweep_ms_ + kSweepMs) return;
    sweep_ms_ = now_ms;
    sweep(now_ms);
}

void Shortcut::note_services(const ServiceEpochs& next) {
    if (service_epochs_.is_same(next)) return;
    for (size_t i = 0; i < std::max(service_epochs_.size(), next.size()); ++i) {
        if (service_epochs_[i] == next[i]) continue;
        uint32_t& epoch = services_[i % services_.size()];
        epoch = std::max(epoch + 1, uint32_t{1});
    }
    service_epochs_ = next;
}

void Shortcut::before(const Snapshot& next) {
    if (!is_on()) return;
    note_services(next.service_epochs);
    if (rests_) return;
    follow_next_hops(next);
    shortcut_epochs& epochs = kernel_->epochs();
    store(epochs.tunnel_port, next.overlay.enabled ? next.overlay.port.raw : uint16_t{0});
    for (size_t i = 0; i < services_.size(); ++i) store(epochs.services[i], services_[i]);
    store(epochs.isolated, next.isolated_epoch);
    store(epochs.topology, next.topology_epoch);
}

void Shortcut::begin(uint64_t now_ms) {
    if (!is_on()) return;
    // The former process's word is not ours to keep bits of.
    store(kernel_->epochs().paused, paused_ |= static_cast<uint32_t>(ShortcutPause::kStarting));
    kernel_->clear();
    carried_.clear();
    next_hops_.clear();
    resting_.clear();
    next_slot_ = 0;
    shortcut_epochs& epochs = kernel_->epochs();
    store(epochs.form, uint32_t{PODLANE_SHORTCUT_FORM});
    const auto live = dataplane_.current();
    rests_ = false;
    sweep_ms_ = now_ms;
    before(*live);
    pause(ShortcutPause::kStarting, false);
}

void Shortcut::rest() {
    pause(ShortcutPause::kStarting, true);
    rests_ = true;
}

void Shortcut::pause(ShortcutPause why, bool on) {
    if (!is_on() || rests_) return;
    const auto bit = static_cast<uint32_t>(why);
    paused_ = on ? paused_ | bit : paused_ & ~bit;
    store(kernel_->epochs().paused, paused_);
}

bool Shortcut::carries(FlowRef flow) const {
    if (!is_on()) return false;
    const auto at = carried_.find(flow.packed());
    if (at == carried_.end() || load(kernel_->epochs().paused) != 0) return false;
    shortcut_epochs& epochs = kernel_->epochs();
    return std::ranges::all_of(at->second.ways, [&](const Way& way) {
        shortcut_state& state = kernel_->state(way.slot);
        const uint32_t epoch = load(state.epoch);
        const uint64_t service = load(state.service);
        return load(state.stopped) == 0 &&
               (service == 0 ||
                static_cast<uint32_t>(service) == load(epochs.services[service >> 32])) &&
               (epoch == load(epochs.topology) || epoch == load(epochs.isolated));
    });
}

Shortcut::PortTraffic Shortcut::traffic(PortId port) const {
    const Port* const ours = port_of(port);
    return ours != nullptr ? ours->traffic : PortTraffic{};
}

}  // namespace podlane::control
