#include "control/compile/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/telemetry/counters.h"

namespace podlane::control {

namespace {

/// Whether `now` still contains all of `endpoints`.
template <Family F>
bool keeps_all(const EndpointSet<F>& endpoints, const EndpointSet<F>& now) {
    return &endpoints == &now ||
           std::includes(now.endpoints.begin(), now.endpoints.end(), endpoints.endpoints.begin(),
                         endpoints.endpoints.end());
}

/// Whether all endpoints that flows may still use are kept.
template <Family F>
bool keeps_serving(const Frontend<F>& before, const Frontend<F>& now) {
    if (!before.serving || before.serving == now.serving) return true;
    return std::all_of(before.serving->begin(), before.serving->end(),
                       [&](const auto& endpoint) { return now.may_keep(endpoint); });
}

template <class Map, class Key, class Value>
void erase_from(Map& map, const Key& key, const Value& value) {
    const auto it = map.find(key);
    if (it == map.end()) return;
    it->second.erase(value);
    if (it->second.empty()) map.erase(it);
}

template <Family F>
ServicePortName port_name_of(const Frontend<F>& frontend, const NamespacedName& owner) {
    return {frontend.kind == FrontendKind::kHostPort, owner, frontend.port_name,
            static_cast<Protocol>(frontend.protocol)};
}

}  // namespace

ServiceDelta ServiceCompiler::everything(const ObjectStore& store) const {
    ServiceDelta delta;
    for (const auto& [name, service] : store.all<Service>()) delta.services.insert(name);
    for (const auto& [name, pod] : store.all<Pod>()) {
        if (has_host_port(*pod)) delta.pods.insert(name);
    }
    for (const auto& [owner, record] : records_) {
        (owner.is_pod ? delta.pods : delta.services).insert(owner.name);
    }
    return delta;
}

Result<void> ServiceCompiler::full(const ObjectStore& store, const NodeFacts& facts, Snapshot& next,
                                   std::vector<std::string>& notices) {
    ServiceDelta delta = everything(store);
    for (const auto& [name, pods] : *facts.mapped_pods) delta.pods.insert(name);
    return update(delta, store, facts, next, notices);
}

Result<void> ServiceCompiler::check(const ServiceDelta& delta, const ObjectStore& store,
                                    const NodeFacts& facts, std::vector<std::string>& notices,
                                    OnConflict on_conflict) const {
    const auto plans = plan(delta, store, facts, notices, on_conflict);
    if (!plans.ok()) return plans.error();
    return {};
}

Result<void> ServiceCompiler::update(const ServiceDelta& delta, const ObjectStore& store,
                                     const NodeFacts& facts, Snapshot& next,
                                     std::vector<std::string>& notices, OnConflict on_conflict) {
    const auto plans = plan(delta, store, facts, notices, on_conflict);
    if (!plans.ok()) return plans.error();
    for (const Plan& plan : plans.value()) commit(plan, next);
    for (const Plan& plan : plans.value()) {
        note_conflicts<V4>(plan.owner, notices);
        note_conflicts<V6>(plan.owner, notices);
    }
    return {};
}

const ServicePortName* ServiceCompiler::find(ServiceId id) const noexcept {
    const auto it = names_.find(static_cast<uint32_t>(id));
    return it != names_.end() ? &it->second : nullptr;
}

void ServiceCompiler::commit(const Plan& plan, Snapshot& next) {
    if (plan.is_empty() && !records_.contains(plan.owner)) return;
    Record& record = records_[plan.owner];
    index(plan.owner, record.interests, false);
    assign_ids(plan, record);
    commit_family<V4>(plan, record, next);
    commit_family<V6>(plan, record, next);
    note_health(plan);
    record.interests = plan.interests;
    record.age = plan.age;
    record.service = plan.service;
    index(plan.owner, record.interests, true);
    if (plan.is_empty()) records_.erase(plan.owner);
}

template <Family F>
void ServiceCompiler::commit_family(const Plan& plan, Record& record, Snapshot& next) {
    const Planned<F>& planned = plan.planned.get<F>();
    Owned<F>& owned = record.owned.get<F>();
    auto& claims = books_.get<F>().claims;
    std::map<FrontendKey<F>, FrontendPtr<F>> before;
    std::set<FrontendKey<F>> touched;
    for (auto& frontend : owned.frontends) {
        const FrontendKey<F> key = key_of(*frontend);
        std::erase_if(claims[key],
                      [&](const Claim<F>& claim) { return claim.owner == plan.owner; });
        touched.insert(key);
        before.emplace(key, std::move(frontend));
    }
    owned.frontends.clear();
    for (const Frontend<F>& wanted : planned.frontends) {
        const FrontendKey<F> key = key_of(wanted);
        Frontend<F> frontend = wanted;
        frontend.service = record.ids.at(port_name_of(wanted, plan.owner.name));
        const auto old = before.find(key);
        FrontendPtr<F> pointer = old != before.end() && same_frontend(*old->second, frontend)
                                     ? old->second
                                     : std::make_shared<const Frontend<F>>(std::move(frontend));
        owned.frontends.push_back(pointer);
        claims[key].push_back({plan.owner, plan.age, std::move(pointer)});
        touched.insert(key);
    }
    hold_addresses<F>(plan, record, touched);
    for (const FrontendKey<F>& key : touched) settle<F>(key, next);
    std::vector<typename F::Address> whole = planned.cluster_ips;
    whole.insert(whole.end(), planned.pool_ips.begin(), planned.pool_ips.end());
    mark_addresses<F>(plan.owner, whole, owned.whole_ips, next);
}

template <Family F>
void ServiceCompiler::mark_addresses(const Owner& owner,
                                     const std::vector<typename F::Address>& now,
                                     std::vector<typename F::Address>& before, Snapshot& next) {
    if (now == before) return;
    auto& users = books_.get<F>().whole_ips;
    auto& table = next.family<F>().frontends;
    for (const auto& address : before) erase_from(users, address, owner.name);
    for (const auto& address : now) {
        users[address].insert(owner.name);
        table.set({address, be16(0), 0}, nullptr);
    }
    for (const auto& address : before) {
        if (!users.contains(address)) table.erase({address, be16(0), 0});
    }
    before = now;
}

template <Family F>
void ServiceCompiler::note_external(const FrontendKey<F>& key, const Frontend<F>* winner) {
    auto& keys = external_.get<F>();
    const bool is_there = winner != nullptr && winner->kind != FrontendKind::kClusterIp;
    const bool changed = is_there ? keys.insert(key).second : keys.erase(key) > 0;
    if (changed) ++external_epoch_;
}

template <Family F>
void ServiceCompiler::settle(const FrontendKey<F>& key, Snapshot& next) {
    auto& claims = books_.get<F>().claims;
    auto& table = next.family<F>().frontends;
    const auto at = claims.find(key);
    auto& contested = books_.get<F>().contested;
    if (at != claims.end() && at->second.size() > 1) {
        contested.insert(key);
    } else {
        contested.erase(key);
    }
    if (at != claims.end() && at->second.empty()) claims.erase(at);
    const Claim<F>* claim = winner_of<F>(key);
    FrontendPtr<F> winner = claim != nullptr ? claim->frontend : nullptr;
    const Frontend<F>* before = table.find(key);
    if (before == winner.get()) return;
    if (before != nullptr) {
        const bool keeps = winner && winner->service == before->service &&
                           keeps_all(*before->inside, *winner->inside) &&
                           keeps_all(*before->outside, *winner->outside) &&
                           keeps_serving(*before, *winner);
        if (!keeps) ++next.service_epochs.mutable_at(index_of(before->service));
        // At node addresses without NodePorts, no Service had this address and port until now.
        const bool is_wider = before->kind == FrontendKind::kNodePort && winner &&
                              winner->kind != FrontendKind::kNodePort;
        if (is_wider) ++next.service_epochs.mutable_at(index_of(kNoService));
    } else if (key.protocol == static_cast<uint8_t>(Protocol::kUdp)) {
        // Until now, datagram flows to this address and port belonged to no Service, or to the one
        // at all node addresses.
        ++next.service_epochs.mutable_at(index_of(kNoService));
        const Frontend<F>* any = table.find({typename F::Address{}, key.port, key.protocol});
        if (any != nullptr) ++next.service_epochs.mutable_at(index_of(any->service));
    }
    note_external<F>(key, winner.get());
    if (winner) {
        table.set(key, std::move(winner));
    } else {
        table.erase(key);
    }
}

void ServiceCompiler::assign_ids(const Plan& plan, Record& record) {
    std::set<ServicePortName> wanted;
    for (const auto& frontend : plan.planned.v4.frontends) {
        wanted.insert(port_name_of(frontend, plan.owner.name));
    }
    for (const auto& frontend : plan.planned.v6.frontends) {
        wanted.insert(port_name_of(frontend, plan.owner.name));
    }
    std::erase_if(record.ids, [&](const auto& entry) {
        if (wanted.contains(entry.first)) return false;
        const auto id = static_cast<uint32_t>(entry.second);
        names_.erase(id);
        free_ids_.push_back(id);
        return true;
    });
    for (const ServicePortName& name : wanted) {
        if (!record.ids.contains(name)) record.ids.emplace(name, take_id(name));
    }
}

ServiceId ServiceCompiler::take_id(const ServicePortName& name) {
    // An id's counters outlive its Service, so an id that was never used is preferred.
    uint32_t id = next_id_;
    if (next_id_ >= kServiceCounters && !free_ids_.empty()) {
        id = free_ids_.front();
        free_ids_.pop_front();
    } else {
        ++next_id_;
    }
    names_.emplace(id, name);
    return ServiceId{id};
}

void ServiceCompiler::note_health(const Plan& plan) {
    if (plan.owner.is_pod) return;
    const auto before = health_checks_.find(plan.owner.name);
    const bool had_one = before != health_checks_.end();
    if (had_one ? plan.health == before->second : !plan.health) return;
    ++health_epoch_;
    if (plan.health) {
        health_checks_[plan.owner.name] = *plan.health;
    } else {
        health_checks_.erase(before);
    }
}

void ServiceCompiler::index(const Owner& owner, const Interests& interests, bool add) {
    for (const IpAddress& address : interests.unplaced) {
        if (add) {
            unplaced_[address].insert(owner);
        } else {
            erase_from(unplaced_, address, owner);
        }
    }
    if (interests.by_zone && add) by_zone_.insert(owner.name);
    if (interests.by_zone && !add) by_zone_.erase(owner.name);
    if (!interests.selector) return;
    if (add) {
        from_pods_[owner.name.name_space][owner.name.name] = *interests.selector;
    } else {
        erase_from(from_pods_, owner.name.name_space, owner.name.name);
    }
}

}  // namespace podlane::control
