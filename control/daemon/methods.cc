// The config socket's methods: read the message's parameters, return the node's answer.
#include "control/daemon/methods.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "control/daemon/version.h"
#include "control/node/flannel.h"
#include "control/rpc/peer.h"
#include "control/show/render.h"
#include "lib/base/printable.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;
using DocumentsMember = Outcome<ChangeReport> (NodeModel::*)(const std::vector<ObjectsText>&,
                                                             const ChangeScope&);

std::vector<ObjectsText> documents_of(RpcParams& params) {
    std::vector<ObjectsText> texts;
    for (const NamedText& document : params.documents()) {
        texts.push_back({document.name, document.text});
    }
    return texts;
}

/// The owner that the change is made for.
ChangeScope owner_scope(RpcParams& params) {
    ChangeScope scope;
    if (const auto owner = params.text_if_any("owner")) scope.owner = *owner;
    return scope;
}

RpcResult call_apply(NodeModel& node, RpcRequest& request) {
    const auto documents = documents_of(request.params);
    ChangeScope scope = owner_scope(request.params);
    scope.each = request.params.flag("each");
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.apply(documents, scope));
}

void add_documents_method(RpcMethods& methods, NodeModel& node, const char* name,
                          DocumentsMember member) {
    methods.add(name, [&node, member](RpcRequest& request) -> RpcResult {
        const auto documents = documents_of(request.params);
        const ChangeScope scope = owner_scope(request.params);
        if (auto failure = request.params.failure()) return std::move(*failure);
        return to_reply((node.*member)(documents, scope));
    });
}

RpcResult call_replace(NodeModel& node, RpcRequest& request) {
    const auto documents = documents_of(request.params);
    ChangeScope scope = owner_scope(request.params);
    if (request.params.has("kinds")) {
        for (const std::string_view kind : request.params.texts("kinds")) {
            scope.kinds.emplace_back(kind);
        }
    }
    scope.allow_empty = request.params.flag("allowEmpty");
    scope.connection = request.peer.connection;
    scope.each = request.params.flag("each");
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.replace(documents, scope));
}

RpcResult call_delete(NodeModel& node, RpcRequest& request) {
    ChangeScope scope = owner_scope(request.params);
    if (request.params.has("kind")) {
        const auto kind = request.params.text("kind");
        const auto name = request.params.text("name");
        if (auto failure = request.params.failure()) return std::move(*failure);
        return to_reply(node.remove(kind, name, scope));
    }
    const auto documents = documents_of(request.params);
    scope.each = request.params.flag("each");
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.remove(documents, scope));
}

RpcResult call_get_flows(NodeModel& node, RpcParams& params, FlowQuestion question,
                         std::optional<size_t> limit) {
    const auto text = [&params](const char* key, std::optional<std::string>& to) {
        if (const auto given = params.text_if_any(key)) to = *given;
    };
    const auto number = [&params](const char* key, int64_t most, auto& to) {
        using Number = typename std::remove_reference_t<decltype(to)>::value_type;
        if (const auto given = params.number_if_any(key, 0, most)) to = static_cast<Number>(*given);
    };
    text("pod", question.pod);
    text("service", question.service);
    text("address", question.address);
    text("protocol", question.protocol);
    text("state", question.state);
    number("port", 65535, question.port);
    number("worker", 63, question.worker);
    number("olderSeconds", UINT32_MAX, question.older_s);
    number("youngerSeconds", UINT32_MAX, question.younger_s);
    number("idleSeconds", UINT32_MAX, question.idle_s);
    question.dropped = params.flag("dropped");
    const auto from = params.number_if_any("from", 0, INT64_MAX);
    if (auto failure = params.failure()) return std::move(*failure);
    return to_reply(node.get_flows(question, limit, static_cast<FlowCursor>(from.value_or(0))));
}

RpcResult call_get(NodeModel& node, RpcRequest& request) {
    const auto kind = request.params.text("kind");
    const auto name = request.params.text_if_any("name");
    const auto given = request.params.number_if_any("limit", 0, INT64_MAX);
    const auto limit = given ? std::optional(static_cast<size_t>(*given)) : std::nullopt;
    if (kind == "flows") {
        FlowQuestion question;
        if (name) question.name = *name;
        return call_get_flows(node, request.params, std::move(question), limit);
    }
    const bool refused = request.params.flag("refused");
    if (auto failure = request.params.failure()) return std::move(*failure);
    if (refused) return to_reply(node.get_refused(kind, name));
    return to_reply(node.get(kind, name, limit));
}

/// The name of the process at the other end, such as "podlane-cni"; "operator" if the process is
/// gone or its name is not visible from here.
std::string program_of(const RpcPeer& peer) {
    std::ifstream file(fmt::format("/proc/{}/comm", peer.pid));
    std::string name;
    return std::getline(file, name) && !name.empty() ? printable(name) : std::string(kOperator);
}

PortMapping read_port_mapping(Fields& fields) {
    constexpr IntegerRange kPorts{1, 65535, "a port"};
    PortMapping mapping;
    mapping.host_port = fields.integer<uint16_t>("hostPort", kPorts, 0);
    mapping.container_port = fields.integer<uint16_t>("containerPort", kPorts, 0);
    mapping.protocol = fields.string("protocol", mapping.protocol);
    mapping.host_ip = fields.string("hostIP");
    return mapping;
}

Bandwidth read_bandwidth(Fields& fields) {
    constexpr IntegerRange kBits{0, INT64_MAX, "a number of bits"};
    const auto bits = [&](const char* key) { return fields.integer<uint64_t>(key, kBits, 0); };
    return {.ingress = {bits("ingressRate"), bits("ingressBurst")},
            .egress = {bits("egressRate"), bits("egressBurst")}};
}

RpcResult call_pod_add(NodeModel& node, RpcRequest& request) {
    PodAddRequest pod;
    pod.pod = request.params.text("pod");
    pod.netns = request.params.text("netns");
    for (const std::string_view address : request.params.texts("addresses")) {
        pod.addresses.emplace_back(address);
    }
    if (const auto ifname = request.params.text_if_any("ifname")) pod.ifname = *ifname;
    if (const auto mac = request.params.text_if_any("mac")) pod.mac = *mac;
    if (const auto container = request.params.text_if_any("container")) pod.container = *container;
    request.params.each("portMappings",
                        [&](Fields& one) { pod.port_mappings.push_back(read_port_mapping(one)); });
    request.params.within("bandwidth",
                          [&](Fields& limits) { pod.bandwidth = read_bandwidth(limits); });
    if (const auto kind = request.params.text_if_any("interface")) pod.interface = *kind;
    for (const auto& [key, id] : {std::pair{"user", &pod.user}, std::pair{"group", &pod.group}}) {
        *id = static_cast<uint32_t>(request.params.number_if_any(key, 0, UINT32_MAX).value_or(0));
    }
    pod.by = program_of(request.peer);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.add_pod(pod));
}

RpcResult call_pod_del(NodeModel& node, RpcRequest& request) {
    PodDelRequest pod;
    pod.pod = request.params.text_if_any("pod").value_or("");
    pod.container = request.params.text_if_any("container").value_or("");
    pod.ifname = request.params.text_if_any("ifname").value_or("");
    pod.by = program_of(request.peer);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.remove_pod(pod));
}

RpcResult call_explain(NodeModel& node, RpcRequest& request) {
    ExplainRequest question;
    question.from = request.params.text("from");
    question.to = request.params.text("to");
    question.protocol = request.params.text_if_any("protocol").value_or("");
    if (const auto port = request.params.number_if_any("sourcePort", 1, 65535)) {
        question.source_port = static_cast<uint16_t>(*port);
    }
    if (const auto bytes = request.params.number_if_any("bytes", 20, 65535)) {
        question.bytes = static_cast<uint32_t>(*bytes);
    }
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.explain(question));
}

RpcResult call_ingress_objects(NodeModel& node, RpcRequest& request, gid_t keys_group) {
    const auto since = request.params.number_if_any("since", 0, INT64_MAX);
    const bool keys = request.params.flag("keys");
    if (auto failure = request.params.failure()) return std::move(*failure);
    // Only the caller's primary group is checked: keys_group is not the socket's group.
    if (keys && !is_allowed({request.peer, {}}, ::geteuid(), keys_group)) {
        return RpcFailure{rpc_code::kNotAllowed,
                          "TLS keys are for root, and for the group that security.keys names",
                          nullptr};
    }
    IngressObjects answer =
        node.ingress_objects(since ? std::optional(static_cast<uint64_t>(*since)) : std::nullopt);
    if (!keys && answer.objects) {
        std::erase_if(*answer.objects, [](const Object& object) {
            return std::holds_alternative<ObjectPtr<Secret>>(object);
        });
    }
    return to_reply(std::move(answer));
}

RpcResult call_resolve(NodeModel& node, RpcRequest& request) {
    const auto name = request.params.text("name");
    const auto type = request.params.text_if_any("type").value_or("A");
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.resolve(name, type));
}

RpcResult call_log_level(NodeModel& node, RpcRequest& request) {
    const auto level = request.params.text_if_any("level");
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.log_level(level));
}

const char* word_of(SyscallFiltering seccomp) noexcept {
    switch (seccomp) {
        case SyscallFiltering::kOn:
            return "on";
        case SyscallFiltering::kOff:
            return "off";
        case SyscallFiltering::kMissing:
            break;
    }
    return "missing";
}

RpcResult call_health(NodeModel& node, RpcRequest& request, const ProcessFacts& process) {
    const auto probe = request.params.text_if_any("probe");
    if (auto failure = request.params.failure()) return std::move(*failure);
    auto health = node.health(probe);
    const bool is_missing = process.seccomp == SyscallFiltering::kMissing;
    if (health.ok() && is_missing) {
        health.value().problems.emplace_back(
            "the kernel has no seccomp: system calls are not filtered; security.seccomp: off says "
            "that this is meant");
        if (!probe) health.value().is_well = false;
    }
    RpcResult reply = to_reply(std::move(health));
    if (auto* const answer = std::get_if<Json>(&reply)) {
        (*answer)["seccomp"] = word_of(process.seccomp);
        (*answer)["shortcut"] = process.shortcut;
    }
    return reply;
}

void call_watch(Watchers& watchers, RpcRequest& request, RpcDone done) {
    constexpr int64_t kLongestWait = 300, kUsualWait = 30;
    WatchRequest watch;
    for (const std::string_view kind : request.params.texts("kinds")) {
        watch.kinds.emplace_back(kind);
    }
    if (const auto since = request.params.number_if_any("since", 0, INT64_MAX)) {
        watch.since = static_cast<uint64_t>(*since);
    }
    const auto wait = request.params.number_if_any("waitSeconds", 0, kLongestWait);
    if (auto failure = request.params.failure()) {
        done(std::move(*failure));
        return;
    }
    watchers.add(std::move(watch), std::chrono::seconds(wait.value_or(kUsualWait)),
                 std::move(done));
}

RpcResult call_new_flows(NodeModel& node, RpcRequest& request) {
    constexpr int64_t kMost = 1000, kUsual = 20;
    const auto limit = request.params.number_if_any("limit", 1, kMost);
    if (auto failure = request.params.failure()) return std::move(*failure);
    return to_reply(node.new_flows(static_cast<size_t>(limit.value_or(kUsual))));
}

void call_events(Watchers& watchers, RpcRequest& request, RpcDone done) {
    constexpr int64_t kLongestWait = 300;
    HistoryRequest history;
    if (request.params.has("kinds")) {
        for (const std::string_view kind : request.params.texts("kinds")) {
            history.kinds.emplace_back(kind);
        }
    }
    history.name = request.params.text_if_any("name").value_or("");
    history.by = request.params.text_if_any("by").value_or("");
    const auto number = [&request](const char* key, int64_t most = INT64_MAX) {
        return static_cast<uint64_t>(request.params.number_if_any(key, 0, most).value_or(0));
    };
    history.since_ms = number("sinceMs");
    history.until_ms = number("untilMs");
    history.limit = number("limit");
    if (const auto after = request.params.number_if_any("after", 0, INT64_MAX)) {
        history.after = static_cast<uint64_t>(*after);
    }
    const std::chrono::seconds wait(number("waitSeconds", kLongestWait));
    if (auto failure = request.params.failure()) {
        done(std::move(*failure));
        return;
    }
    watchers.add(std::move(history), wait, std::move(done));
}

/// A method without parameters.
template <class Answer>
void add_plain_method(RpcMethods& methods, const char* name, Answer answer) {
    methods.add(name, [answer](RpcRequest& request) -> RpcResult {
        if (auto failure = request.params.failure()) return std::move(*failure);
        return answer();
    });
}

}  // namespace

namespace {

using Call = RpcResult (*)(NodeModel&, RpcRequest&);

constexpr const char* kIngressObjects = "ingress.objects";

/// Methods that change this node or its daemon.
constexpr std::array<std::pair<const char*, Call>, 6> kRestricted{{
    {"apply", call_apply},
    {"replace", call_replace},
    {"delete", call_delete},
    {"pod.add", call_pod_add},
    {"pod.del", call_pod_del},
    {"log.level", call_log_level},
}};

}  // namespace

bool changes_node(std::string_view method) noexcept {
    // A log level does not survive a restart.
    return method == "shutdown" || method == "apply" || method == "replace" || method == "delete" ||
           method == "pod.add" || method == "pod.del";
}

void register_reading_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                              const ProcessFacts& process) {
    methods.add_waiting("watch", [&watchers](RpcRequest& request, RpcDone done) {
        call_watch(watchers, request, std::move(done));
    });
    methods.add_waiting("events", [&watchers](RpcRequest& request, RpcDone done) {
        call_events(watchers, request, std::move(done));
    });
    add_documents_method(methods, node, "validate", &NodeModel::validate);
    add_documents_method(methods, node, "diff", &NodeModel::diff);
    const auto add = [&methods, &node](const char* name, Call call) {
        methods.add(name, [&node, call](RpcRequest& r) { return call(node, r); });
    };
    add("get", call_get);
    add("explain", call_explain);
    add("resolve", call_resolve);
    methods.add("health", [&node, &process](RpcRequest& request) {
        return call_health(node, request, process);
    });
    add("newflows", call_new_flows);
    const auto refuse = [](RpcRequest&) {
        return RpcResult(RpcFailure{rpc_code::kNotAllowed, "this socket only reads", nullptr});
    };
    for (const char* name : {"shutdown", "process", "handover"}) methods.add(name, refuse);
    methods.add(kIngressObjects, refuse);
    for (const auto& [name, call] : kRestricted) methods.add(name, refuse);
    add_plain_method(methods, "stats", [&node] { return to_reply(node.stats()); });
    add_plain_method(methods, "peers", [&node] { return to_reply(node.peers()); });
    add_plain_method(methods, "drops", [&node] { return to_reply(node.drops()); });
    add_plain_method(methods, "flannel",
                     [&node] { return to_reply(flannel_facts(node.config())); });
    add_plain_method(methods, "node", [&node] { return to_reply(node.node()); });
    add_plain_method(methods, "version", [&process] {
        return RpcResult(Json{{"version", version()}, {"dpdk", process.dpdk}});
    });
}

namespace {

/// The target of a link in /proc/self, or "".
std::string own_link(const char* name) {
    std::error_code failed;
    return std::filesystem::read_symlink(fmt::format("/proc/self/{}", name), failed).string();
}

/// This process's command line; the program's name comes first.
std::vector<std::string> own_arguments() {
    std::ifstream file("/proc/self/cmdline");
    std::vector<std::string> out;
    for (std::string each; std::getline(file, each, '\0');) out.push_back(each);
    return out;
}

/// The service manager's name for the unit that this process is part of: "podlaned.service".
std::string own_unit() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::string unit = line.substr(line.rfind('/') + 1);
        if (unit.ends_with(".service")) return unit;
    }
    return {};
}

}  // namespace

void register_methods(RpcMethods& methods, NodeModel& node, Watchers& watchers,
                      const ProcessFacts& process) {
    register_reading_methods(methods, node, watchers, process);
    for (const auto& [name, call] : kRestricted) {
        methods.add(name, [&node, call = call](RpcRequest& r) { return call(node, r); });
    }
    add_plain_method(methods, "process", [&process] {
        return RpcResult(Json{{"pid", ::getpid()},
                              {"version", version()},
                              {"binary", own_link("exe")},
                              {"folder", own_link("cwd")},
                              {"arguments", own_arguments()},
                              {"unit", process.is_managed ? own_unit() : ""}});
    });
    methods.add(kIngressObjects, [&node, &process](RpcRequest& request) {
        return call_ingress_objects(node, request, process.keys_group);
    });
}

}  // namespace podlane::control
