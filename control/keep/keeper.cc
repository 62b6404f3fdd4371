#include "control/keep/keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "control/kube/json.h"
#include "control/kube/parse.h"
#include "lib/persist/kept_memory.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// The format of the values; raised when an older podlaned could no longer read them.
constexpr uint32_t kFormat = 1;
constexpr std::string_view kObjectKey = "object/";
constexpr std::string_view kPodKey = "pod/";
constexpr std::string_view kBootKey = "boot";
constexpr std::string_view kGenerationKey = "generation";
constexpr std::string_view kLinksKey = "links";

constexpr uint64_t kLookMs = 1000;
/// If the disk is full, writing is retried after this time, not at each change.
constexpr uint64_t kRewriteMs = 5000;

std::string key_text(const ObjectKey& key) {
    return fmt::format("{}{}/{}/{}", kObjectKey, kind_name(key.kind), key.name_space, key.name);
}

/// In Kubernetes' own form, without what is computed here: that is computed again.
Json json_of(const Object& object) {
    if (const auto* secret = std::get_if<ObjectPtr<Secret>>(&object)) {
        return whole_secret_json(**secret);
    }
    if (const auto* service = std::get_if<ObjectPtr<Service>>(&object);
        service != nullptr && (*service)->from_pools) {
        Service given = **service;
        given.load_balancer.clear();
        return to_json(given);
    }
    return to_json(object);
}

Json json_of(const KeptPod& pod) {
    Json addresses = Json::array();
    for (const IpAddress& address : pod.addresses) addresses.push_back(to_string(address));
    Json json = {{"pod", pod.pod},
                 {"container", pod.container},
                 {"ifname", pod.ifname},
                 {"netns", pod.netns},
                 {"netnsDevice", pod.netns_id.device},
                 {"netnsInode", pod.netns_id.inode},
                 {"mac", to_string(pod.mac)},
                 {"addresses", std::move(addresses)},
                 {"mtu", pod.mtu}};
    for (const ContainerPort& port : pod.host_ports) json["hostPorts"].push_back(to_json(port));
    if (pod.bandwidth.is_limited()) json["bandwidth"] = to_json(pod.bandwidth);
    if (pod.socket.is_socket()) {
        json["socket"] = {{"kind", to_string(pod.socket.kind)},
                          {"path", pod.socket.path},
                          {"user", pod.socket.user},
                          {"group", pod.socket.group}};
    }
    return json;
}

Bandwidth bandwidth_from(const Json& json) {
    return {
        .ingress = {json.value("ingressRate", uint64_t{0}),
                    json.value("ingressBurst", uint64_t{0})},
        .egress = {json.value("egressRate", uint64_t{0}), json.value("egressBurst", uint64_t{0})}};
}

PodSocket socket_from(const Json& json) {
    PodSocket socket;
    socket.kind = pod_interface(json.at("kind").get<std::string>()).value_or(PodInterface::kTap);
    socket.path = json.at("path");
    socket.user = json.at("user");
    socket.group = json.at("group");
    return socket;
}

ContainerPort host_port_from(const Json& json) {
    ContainerPort port;
    port.port = json.at("containerPort");
    port.host_port = json.at("hostPort");
    if (json.contains("hostIP")) port.host_ip = parse_ip(json["hostIP"].get<std::string>());
    const auto protocol = protocol_from_name(json.at("protocol").get<std::string>());
    port.protocol = protocol.value_or(Protocol::kTcp);
    return port;
}

/// Throws the JSON library's exceptions if a member is missing or has the wrong type.
KeptPod pod_from(std::string_view name, std::string_view text) {
    const Json json = Json::parse(text);
    KeptPod pod;
    pod.name = name;
    pod.pod = json.at("pod");
    pod.container = json.at("container");
    pod.ifname = json.at("ifname");
    pod.netns = json.at("netns");
    pod.netns_id = {json.at("netnsDevice"), json.at("netnsInode")};
    pod.mac = parse_mac(json.at("mac").get<std::string>()).value_or(MacAddress{});
    for (const Json& each : json.at("addresses")) {
        const auto address = parse_ip(each.get<std::string>());
        if (address) pod.addresses.push_back(*address);
    }
    pod.mtu = json.at("mtu");
    // An older podlaned did not write them.
    for (const Json& each : json.value("hostPorts", Json::array())) {
        pod.host_ports.push_back(host_port_from(each));
    }
    if (json.contains("bandwidth")) pod.bandwidth = bandwidth_from(json["bandwidth"]);
    if (json.contains("socket")) pod.socket = socket_from(json["socket"]);
    return pod;
}

Json json_of(const KeptLinks& links) {
    Json neighbours = Json::array();
    for (const auto& each : links.neighbours) {
        if (neighbours.size() == Keeper::kMostLinks) break;
        neighbours.push_back({each.port, to_string(each.address), to_string(each.mac)});
    }
    Json macs = Json::array();
    for (const auto& each : links.macs) {
        if (macs.size() == Keeper::kMostLinks) break;
        macs.push_back({each.port, to_string(each.mac)});
    }
    return {{"neighbours", std::move(neighbours)}, {"macs", std::move(macs)}};
}

/// Throws like pod_from().
KeptLinks links_from(std::string_view text) {
    const Json json = Json::parse(text);
    KeptLinks links;
    for (const Json& each : json.at("neighbours")) {
        const auto address = parse_ip(each.at(1).get<std::string>());
        const auto mac = parse_mac(each.at(2).get<std::string>());
        if (address && mac) links.neighbours.push_back({each.at(0), *address, *mac});
    }
    for (const Json& each : json.at("macs")) {
        const auto mac = parse_mac(each.at(1).get<std::string>());
        if (mac) links.macs.push_back({each.at(0), *mac});
    }
    return links;
}

/// A value consists of the owner's name, a line feed and the object.
Result<KeptObject> object_from(std::string_view key, std::string_view value) {
    const size_t end = value.find('\n');
    if (end == std::string_view::npos) return Error{fmt::format("{}: without an owner", key)};
    auto parsed = parse_objects(value.substr(end + 1), std::string(key));
    if (!parsed.ok()) return parsed.error();
    if (parsed->objects.size() != 1) return Error{fmt::format("{}: not one object", key)};
    return KeptObject{std::move(parsed->objects.front()), std::string(value.substr(0, end))};
}

}  // namespace

Keeper::Keeper(const std::string& folder) : log_(KeyLog::open(folder + "/journal", kFormat)) {
    if (log_.is_behind()) failure_ = log_.note();
    drop_former_boot();
}

Result<std::string> Keeper::look(const std::string& folder) {
    const auto values = KeyLog::look(folder + "/journal", kFormat);
    if (!values.ok()) return values.error();
    size_t objects = 0, pods = 0;
    for (const auto& [key, value] : *values) {
        const std::string_view name = key;
        if (name.starts_with(kObjectKey)) {
            if (auto object = object_from(key, value); !object.ok()) return object.error();
            ++objects;
        } else if (name.starts_with(kPodKey)) {
            try {
                static_cast<void>(pod_from(name.substr(kPodKey.size()), value));
            } catch (const nlohmann::json::exception& error) {
                return Error{fmt::format("{}: {}", key, error.what())};
            }
            ++pods;
        }
    }
    return fmt::format("journal: {} objects, {} pods' ports", objects, pods);
}

void Keeper::drop_former_boot() {
    const std::string boot = boot_id();
    const auto booted = log_.values().find(kBootKey);
    if (booted != log_.values().end() && booted->second == boot) return;
    KeyLog::Change change{{std::string(kBootKey), boot}, {std::string(kLinksKey), std::nullopt}};
    for (const auto& [key, value] : log_.values()) {
        if (std::string_view(key).starts_with(kPodKey)) change.emplace_back(key, std::nullopt);
    }
    commit(std::move(change));
}

std::vector<KeptPod> Keeper::pods() const {
    std::vector<KeptPod> pods;
    for (const auto& [key, value] : log_.values()) {
        const std::string_view name = key;
        if (!name.starts_with(kPodKey)) continue;
        try {
            pods.push_back(pod_from(name.substr(kPodKey.size()), value));
        } catch (const nlohmann::json::exception&) {
            continue;  // load() says so
        }
    }
    return pods;
}

std::vector<Keeper::ReadObject> Keeper::read_objects() const {
    std::vector<ReadObject> out;
    for (const auto& [key, value] : log_.values()) {
        if (!std::string_view(key).starts_with(kObjectKey)) continue;
        out.push_back({key, object_from(key, value)});
    }
    return out;
}

void Keeper::read_ahead() {
    ahead_ = std::async(std::launch::async, [this] { return read_objects(); });
}

KeptState Keeper::load(std::vector<std::string>& notes) {
    if (!log_.note().empty()) notes.push_back(log_.note());
    KeptState state;
    KeyLog::Change change;
    for (ReadObject& read : ahead_.valid() ? ahead_.get() : read_objects()) {
        if (read.object.ok()) {
            state.objects.push_back(std::move(read.object).value());
            continue;
        }
        notes.push_back("journal: dropped: " + read.object.error().message);
        change.emplace_back(read.key, std::nullopt);
    }
    for (const auto& [key, value] : log_.values()) {
        const std::string_view name = key;
        if (name.starts_with(kPodKey)) {
            try {
                state.pods.push_back(pod_from(name.substr(kPodKey.size()), value));
            } catch (const nlohmann::json::exception& error) {
                notes.push_back(fmt::format("journal: dropped: {}: {}", key, error.what()));
                change.emplace_back(key, std::nullopt);
            }
        } else if (name == kLinksKey) {
            try {
                state.links = links_from(value);
            } catch (const nlohmann::json::exception& error) {
                notes.push_back(fmt::format("journal: dropped: {}: {}", key, error.what()));
            }
        } else if (name == kGenerationKey) {
            const auto end = value.data() + value.size();
            if (std::from_chars(value.data(), end, state.generation).ptr != end) {
                notes.push_back("journal: dropped: generation: it is no number");
            }
        }
    }
    generation_ = state.generation;
    commit(std::move(change));
    return state;
}

void Keeper::put_objects(const ChangeSet& plan, const OwnerOf& owner_of) {
    KeyLog::Change change;
    for (const auto* list : {&plan.added, &plan.changed}) {
        for (const Change& each : *list) {
            std::string value(owner_of(each.key));
            value += '\n';
            value += json_of(*each.after).dump(-1, ' ', false, Json::error_handler_t::replace);
            change.emplace_back(key_text(each.key), std::move(value));
        }
    }
    for (const Change& each : plan.removed) {
        change.emplace_back(key_text(each.key), std::nullopt);
    }
    commit(std::move(change));
}

void Keeper::drop_objects() {
    KeyLog::Change change;
    for (const auto& [key, value] : log_.values()) {
        if (std::string_view(key).starts_with(kObjectKey)) change.emplace_back(key, std::nullopt);
    }
    commit(std::move(change));
}

void Keeper::put_pod(const KeptPod& pod) {
    commit({{std::string(kPodKey) + pod.name, json_of(pod).dump()}});
}

void Keeper::erase_pod(const std::string& name) {
    commit({{std::string(kPodKey) + name, std::nullopt}});
}

void Keeper::put_generation(uint64_t generation) {
    if (generation <= generation_) return;
    generation_ = generation + kAhead;
    commit({{std::string(kGenerationKey), std::to_string(generation_)}});
}

void Keeper::put_links(const KeptLinks& links) {
    std::string text = json_of(links).dump();
    const auto before = log_.values().find(kLinksKey);
    if (before != log_.values().end() && before->second == text) return;
    commit({{std::string(kLinksKey), std::move(text)}});
}

void Keeper::commit(KeyLog::Change change) {
    note(log_.commit(std::move(change)));
}

void Keeper::note(Result<void> done) {
    if (done.ok()) return;
    if (failure_.empty()) spdlog::error("{}", done.error().message);
    failure_ = done.error().message;
}

void Keeper::tick(uint64_t now_ms) {
    if (now_ms < look_again_ms_) return;
    look_again_ms_ = now_ms + kLookMs;
    note(log_.sync());
    const bool is_behind = log_.is_behind();
    if (is_behind && failure_.empty()) {
        failure_ = log_.path() + ": the file is not where it was";
        spdlog::warn("{}", failure_);
    }
    if ((!is_behind && !log_.is_long()) || now_ms < rewrite_again_ms_) return;
    auto done = log_.rewrite();
    if (!done.ok()) {
        rewrite_again_ms_ = now_ms + kRewriteMs;
        note(std::move(done));
        return;
    }
    if (failure_.empty()) return;
    spdlog::info("{}: whole again", log_.path());
    failure_.clear();
}

void Keeper::write_all() {
    note(log_.rewrite());
}

std::vector<std::string> Keeper::problems() const {
    if (failure_.empty() && !log_.is_behind()) return {};
    const std::string why = failure_.empty() ? log_.path() + ": is gone" : failure_;
    return {fmt::format("{}; what has changed since would be lost with a restart", why)};
}

void Keeper::forget() noexcept {
    log_.remove();
}

}  // namespace podlane::control
