// Restores what an earlier process left: its pods are attached again, and its objects are part of
// the first generation.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "control/node/node_model.h"
#include "control/node/pod_interface.h"

namespace podlane::control {

namespace {

constexpr uint64_t kNamespaceLookMs = 1000;
constexpr uint64_t kKeepLinksMs = 2000;

}  // namespace

void NodeModel::forget() noexcept {
    forget_ = true;
    if (keeper_ != nullptr) keeper_->forget();
}

std::vector<OwnTap> NodeModel::taps() const {
    std::vector<OwnTap> out;
    if (ports_.host() != kNoPort) out.push_back({"", config_.host->interface, ports_.host()});
    for (const auto& [name, pod] : ports_.pods()) {
        if (pod.is_static || pod.socket.is_socket()) continue;
        out.push_back({pod.netns, pod.ifname, pod.port.id()});
    }
    return out;
}

std::string NodeModel::pod_with_socket() const {
    for (const auto& [name, pod] : ports_.pods()) {
        if (pod.socket.is_socket()) return pod.pod;
    }
    return {};
}

void NodeModel::go_on(const std::string& why) {
    if (keeper_ != nullptr) keeper_->write_all();
    shortcut_.begin(now_ms_());
    tell_event("podlaned", config_.node, fmt::format("nobody has taken over: {}", why));
}

KeptState NodeModel::restore() {
    std::vector<std::string> notes;
    KeptState kept = keeper_->load(notes);
    for (const std::string& note : notes) spdlog::warn("{}", note);
    restore_pods(kept.pods);
    return kept;
}

void NodeModel::restore_pods(const std::vector<KeptPod>& pods) {
    const auto forgotten = [this](const KeptPod& pod, const std::string& why) {
        spdlog::warn("pod {}: its port is not taken back: {}", pod.name, why);
        keeper_->erase_pod(pod.name);
        purge(pod.addresses);
    };
    size_t restored = 0;
    std::vector<const KeptPod*> wanted;
    std::vector<PodTapRequest> requests;
    for (const KeptPod& pod : pods) {
        if (taps_.netns_id(pod.netns) != pod.netns_id) {
            forgotten(pod, fmt::format("its network namespace {} is gone", pod.netns));
            continue;
        }
        PodAddRequest again{.pod = pod.pod,
                            .netns = pod.netns,
                            .addresses = {},
                            .ifname = pod.ifname,
                            .mac = to_string(pod.mac),
                            .container = pod.container,
                            .bandwidth = pod.bandwidth,
                            .interface = std::string(to_string(pod.socket.kind)),
                            .user = pod.socket.user,
                            .group = pod.socket.group};
        for (const IpAddress& address : pod.addresses) {
            again.addresses.push_back(to_string(address));
        }
        const auto plan = plan_pod(again);
        if (!plan.ok()) {
            forgotten(pod, plan.refusal().error.message);
            continue;
        }
        if (pod.socket.is_socket()) {
            auto port = open_pod_socket(pod.name, pod.socket, pod.bandwidth);
            if (auto failed = restore_pod(pod, std::move(port))) {
                forgotten(pod, *failed);
            } else {
                ++restored;
            }
            continue;
        }
        wanted.push_back(&pod);
        requests.push_back(*kept_interface(config_, pod, tap_queues()));  // the plan has looked
    }
    if (pods.empty()) return;
    auto taps = kept_taps_->attach_pod_taps(requests);
    for (size_t i = 0; i < wanted.size(); ++i) {
        const KeptPod& pod = *wanted[i];
        auto port = taps[i].ok() ? open_pod_tap(pod.name, pod.ifname, pod.mac, pod.bandwidth,
                                                std::move(taps[i]).value())
                                 : Result<LocalPort>(taps[i].error());
        if (auto failed = restore_pod(pod, std::move(port))) {
            forgotten(pod, *failed);
        } else {
            ++restored;
        }
    }
    spdlog::info("{} pods' ports are taken back", restored);
}

std::optional<std::string> NodeModel::restore_pod(const KeptPod& kept, Result<LocalPort> port) {
    if (!port.ok()) return port.error().message;
    links_.add_mac(kept.mac, port->id());
    watched_netns_[port->id()] = kept.netns_id;
    ports_.add({.port = std::move(port).value(),
                .name = kept.name,
                .pod = kept.pod,
                .container = kept.container,
                .mac = kept.mac,
                .addresses = kept.addresses,
                .netns = kept.netns,
                .ifname = kept.ifname,
                .mtu = config_.pods.mtu,
                .host_ports = kept.host_ports,
                .bandwidth = kept.bandwidth,
                .socket = kept.socket});
    return std::nullopt;
}

bool NodeModel::publish_kept(const std::vector<KeptObject>& kept,
                             const std::vector<Object>& configured) {
    std::vector<Object> objects;
    for (const KeptObject& each : kept) objects.push_back(each.object);
    // Later objects win: a changed configuration file is meant to take effect.
    objects.insert(objects.end(), configured.begin(), configured.end());
    ChangeSet plan = store_.plan_apply(objects);
    auto addresses = addresses_.complete(store_, plan);
    store_.commit(plan);
    for (const KeptObject& each : kept) {
        ChangeSet one;
        one.added.push_back({key_of(each.object), std::nullopt, each.object});
        owners_.follow(one, each.owner);
    }
    // Objects that were accepted once are no reason to refuse a start.
    auto notices = publish(&plan, true, OnConflict::kOlder);
    if (!notices.ok()) {
        spdlog::error("the objects of before are given up, and must be fed again: {}",
                      notices.error().message);
        store_.revert(plan);
        owners_ = {};
        keeper_->drop_objects();
        return false;
    }
    for (const std::string& notice : *notices) spdlog::info("{}", notice);
    if (addresses) accept(std::move(*addresses));
    spdlog::info("{} objects are taken back", kept.size());
    return true;
}

void NodeModel::keep_pod(const AttachedPod& pod, NetnsId where) {
    keeper_->put_pod({.name = pod.name,
                      .pod = pod.pod,
                      .container = pod.container,
                      .ifname = pod.ifname,
                      .netns = pod.netns,
                      .netns_id = where,
                      .mac = pod.mac,
                      .addresses = pod.addresses,
                      .mtu = pod.mtu,
                      .host_ports = pod.host_ports,
                      .bandwidth = pod.bandwidth,
                      .socket = pod.socket});
}

void NodeModel::keep_links(uint64_t now_ms) {
    if (now_ms < keep_links_ms_) return;
    keep_links_ms_ = now_ms + kKeepLinksMs;
    keeper_->put_links(links_.to_keep());
}

void NodeModel::look_at_namespaces(uint64_t now_ms) {
    if (now_ms < look_at_namespaces_ms_) return;
    look_at_namespaces_ms_ = now_ms + kNamespaceLookMs;
    std::vector<PortId> gone;
    for (const auto& [name, pod] : ports_.pods()) {
        const auto watched = watched_netns_.find(pod.port.id());
        if (watched == watched_netns_.end() || taps_.netns_id(pod.netns) == watched->second)
            continue;
        gone.push_back(pod.port.id());
    }
    for (const PortId port : gone) port_lost(port);
}

}  // namespace podlane::control
