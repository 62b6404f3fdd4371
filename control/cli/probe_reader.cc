#include "control/cli/probe_reader.h"

#include <fmt/format.h>

#include <csignal>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "control/capture/filter.h"
#include "control/cli/cell.h"
#include "control/cli/target.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::chrono::milliseconds kReadInterval{50};

volatile std::sig_atomic_t is_interrupted = 0;

void interrupt(int) {
    is_interrupted = 1;
}

/// While it exists, SIGINT, SIGTERM and SIGPIPE end the reading, not the program.
class SignalGuard {
  public:
    SignalGuard() {
        is_interrupted = 0;
        struct sigaction action {};
        action.sa_handler = interrupt;
        ::sigaction(SIGINT, &action, &before_int_);
        ::sigaction(SIGTERM, &action, &before_term_);
        // The reader of our output may exit at any time: then writing fails, and the probe is
        // ended.
        action.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &action, &before_pipe_);
    }
    ~SignalGuard() {
        ::sigaction(SIGINT, &before_int_, nullptr);
        ::sigaction(SIGTERM, &before_term_, nullptr);
        ::sigaction(SIGPIPE, &before_pipe_, nullptr);
    }
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;

  private:
    struct sigaction before_int_ {};
    struct sigaction before_term_ {};
    struct sigaction before_pipe_ {};
};

/// "(host A or host B)" of a list of addresses.
std::string hosts(const std::vector<std::string>& addresses) {
    std::string out;
    for (const std::string& address : addresses) {
        out += fmt::format("{}host {}", out.empty() ? "" : " or ", address);
    }
    return "(" + out + ")";
}

/// The host of "10.244.1.5:8080" or "[fd00::5]:8080".
std::string host_of(const std::string& end) {
    if (end.starts_with('[')) return end.substr(1, end.find(']') - 1);
    return end.substr(0, end.rfind(':'));
}

/// A running probe.
struct Probe {
    RpcClient* client;
    Json params;
    Json ports = {};
    uint64_t missed = 0;
};

/// Passes packets to `sink` until it has enough. Returns how many there were.
Result<size_t> read_one(Probe& probe, size_t number, const PacketSink& sink, bool& more) {
    const auto batch = probe.client->call("probe.read", probe.params);
    if (!batch) return batch.error();
    probe.missed = static_cast<uint64_t>(number_at(*batch, "/missed"));
    const Json& packets = at(*batch, "/packets");
    for (const Json& packet : packets) {
        more = sink(number, packet);
        if (!more) break;
    }
    return packets.size();
}

Result<Json> item_of(RpcClient& client, std::string_view kind, const std::string& name) {
    auto reply = client.call("get", Json{{"kind", kind}, {"name", name}});
    if (!reply) return reply.error();
    const Json& items = at(*reply, "/items");
    if (!items.is_array() || items.empty()) {
        return Error{fmt::format("{}: there is no {}", kind, name)};
    }
    return items.front();
}

Result<std::vector<std::string>> texts_at(const Json& item, const char* list, const char* member) {
    std::vector<std::string> out;
    for (const Json& each : at(item, list)) {
        const Json& text = *member == '\0' ? each : at(each, member);
        if (text.is_string() && text != "None") out.push_back(text.get<std::string>());
    }
    if (out.empty()) return Error{"it has no address"};
    return out;
}

/// The addresses of a pod: by its port if it is on this node, else by its object.
Result<std::vector<std::string>> pod_addresses(RpcClient& client, const std::string& name) {
    if (const auto port = item_of(client, "ports", name); port.ok()) {
        return texts_at(port.value(), "/addresses", "");
    }
    const auto pod = item_of(client, "pods", name);
    if (!pod.ok()) return Error{fmt::format("--pod: there is no pod {}", name)};
    return texts_at(pod.value(), "/status/podIPs", "/ip");
}

/// Cluster addresses of a Service and, if asked for, of its endpoints.
Result<std::vector<std::string>> service_addresses(RpcClient& client, const std::string& name,
                                                   bool with_endpoints) {
    const auto service = item_of(client, "services", name);
    if (!service.ok()) return service.error();
    auto addresses = texts_at(service.value(), "/spec/clusterIPs", "");
    if (!addresses.ok() || !with_endpoints) return addresses;
    const auto frontends = client.call("get", Json{{"kind", "frontends"}, {"name", name}});
    if (!frontends) return frontends.error();
    std::set<std::string> hosts;
    for (const Json& frontend : at(*frontends, "/items")) {
        for (const char* side : {"/inside", "/outside"}) {
            for (const Json& endpoint : at(frontend, side)) {
                hosts.insert(host_of(endpoint.get<std::string>()));
            }
        }
    }
    addresses->insert(addresses->end(), hosts.begin(), hosts.end());
    return addresses;
}

/// The answer of the first node that has one; otherwise the last node's error.
template <class Ask>
Result<std::vector<std::string>> ask_any(std::span<ProbeSource> sources, Ask ask) {
    Result<std::vector<std::string>> answer = Error{"no node is asked"};
    for (ProbeSource& source : sources) {
        answer = ask(source.client);
        if (answer.ok()) break;
    }
    return answer;
}

Result<void> add_hosts(std::string& text, const Result<std::vector<std::string>>& addresses) {
    if (!addresses.ok()) return addresses.error();
    text += (text.empty() ? "" : " and ") + hosts(addresses.value());
    return {};
}

}  // namespace

Result<ProbeOutcome> read_probes(std::span<ProbeSource> sources,
                                 std::optional<std::chrono::steady_clock::time_point> until,
                                 const ProbeReady& ready, const PacketSink& sink,
                                 const std::function<bool()>& flush) {
    const SignalGuard guard;
    std::vector<Probe> probes;
    std::optional<Error> failed;
    for (ProbeSource& source : sources) {
        const auto started = source.client.call("probe.start", source.params);
        if (!started) {
            failed = started.error();
            break;
        }
        probes.push_back({&source.client, Json{{"probe", at(*started, "/probe")}}});
        if (probes.size() == 1) probes.front().ports = at(*started, "/ports");
    }
    if (!failed) ready(probes.front().ports);
    const auto is_over = [&] {
        return is_interrupted != 0 || (until && std::chrono::steady_clock::now() >= *until);
    };
    for (bool more = !failed, last = false; more && !last;) {
        // Packets that arrived before the end are still read.
        last = is_over();
        bool is_idle = true;
        for (size_t i = 0; i < probes.size() && more && !failed; ++i) {
            const auto count = read_one(probes[i], i, sink, more);
            if (!count) failed = count.error();
            is_idle = is_idle && count && count.value() == 0;
        }
        if (failed || !flush()) break;
        if (more && !last && is_idle) std::this_thread::sleep_for(kReadInterval);
    }
    ProbeOutcome outcome;
    for (Probe& probe : probes) {
        outcome.missed += probe.missed;
        const auto stopped = probe.client->call("probe.stop", probe.params);
        if (!stopped && !failed) failed = stopped.error();
    }
    if (failed) return *failed;
    return outcome;
}

Result<std::string> filter_text(const Invocation& call, std::span<ProbeSource> sources) {
    std::string text;
    for (const std::string& word : call.words) text += (text.empty() ? "" : " ") + word;
    if (!text.empty() && (call.has("pod") || call.has("service"))) text = "(" + text + ")";
    if (call.has("pod")) {
        const auto added =
            add_hosts(text, ask_any(sources, [&](RpcClient& client) {
                          return pod_addresses(client, whole_name(call, call.text("pod")));
                      }));
        if (!added.ok()) return added.error();
    }
    if (call.has("service")) {
        const bool with_endpoints = sources.size() > 1;
        const auto added =
            add_hosts(text, ask_any(sources, [&](RpcClient& client) {
                          return service_addresses(client, whole_name(call, call.text("service")),
                                                   with_endpoints);
                      }));
        if (!added.ok()) return added.error();
    }
    return text;
}

Result<Json> filter_lines(const std::string& text) {
    const auto compiled = compile_filter(text);
    if (!compiled.ok()) return compiled.error();
    Json lines = Json::array();
    for (const FilterInstruction& each : compiled.value()) {
        lines.push_back(
            fmt::format("{} {} {} {}", each.code, each.jump_true, each.jump_false, each.value));
    }
    return lines;
}

}  // namespace podlane::control
