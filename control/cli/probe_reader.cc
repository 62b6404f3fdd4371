#include "control/cli/probe_reader.h"

#include <fmt/format.h>

#include <csignal>
#include <thread>
#include <utility>
#include <vector>

#include "control/capture/filter.h"
#include "control/cli/cell.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::chrono::milliseconds kLook{50};

volatile std::sig_atomic_t is_interrupted = 0;

void interrupt(int) {
    is_interrupted = 1;
}

/// SIGINT, SIGTERM and SIGPIPE end the reading, not the program, for as long as it lives.
class SignalGuard {
  public:
    SignalGuard() {
        is_interrupted = 0;
        struct sigaction action {};
        action.sa_handler = interrupt;
        ::sigaction(SIGINT, &action, &before_int_);
        ::sigaction(SIGTERM, &action, &before_term_);
        // Who reads our output may go at any time: writing fails then, and the probe is ended.
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

/// A pod of this node by its port, another one by its object.
Result<std::vector<std::string>> pod_addresses(RpcClient& client, const std::string& name) {
    if (const auto port = item_of(client, "ports", name); port.ok()) {
        return texts_at(port.value(), "/addresses", "");
    }
    const auto pod = item_of(client, "pods", name);
    if (!pod.ok()) return Error{fmt::format("--pod: there is no pod {}", name)};
    return texts_at(pod.value(), "/status/podIPs", "/ip");
}

Result<void> add_hosts(std::string& text, const Result<std::vector<std::string>>& addresses) {
    if (!addresses.ok()) return addresses.error();
    text += (text.empty() ? "" : " and ") + hosts(addresses.value());
    return {};
}

}  // namespace

Result<ProbeOutcome> read_probe(RpcClient& client, const Json& params,
                                std::optional<std::chrono::steady_clock::time_point> until,
                                const ProbeReady& ready, const PacketSink& sink,
                                const std::function<bool()>& flush) {
    const SignalGuard guard;
    const auto started = client.call("probe.start", params);
    if (!started) return started.error();
    const Json probe{{"probe", at(*started, "/probe")}};
    ready(at(*started, "/ports"));
    ProbeOutcome outcome;
    const auto is_over = [&] {
        return is_interrupted != 0 || (until && std::chrono::steady_clock::now() >= *until);
    };
    for (bool more = true, last = false; more && !last;) {
        // What came before the end is read after it.
        last = is_over();
        const auto batch = client.call("probe.read", probe);
        if (!batch) return batch.error();
        outcome.missed = static_cast<uint64_t>(number_at(*batch, "/missed"));
        const Json& packets = at(*batch, "/packets");
        for (const Json& packet : packets) {
            more = sink(packet);
            if (!more) break;
        }
        if (!flush()) break;
        if (more && !last && packets.empty()) std::this_thread::sleep_for(kLook);
    }
    if (const auto stopped = client.call("probe.stop", probe); !stopped) return stopped.error();
    return outcome;
}

Result<std::string> filter_text(const Invocation& call, RpcClient& client) {
    std::string text;
    for (const std::string& word : call.words) text += (text.empty() ? "" : " ") + word;
    if (!text.empty() && (call.has("pod") || call.has("service"))) text = "(" + text + ")";
    if (call.has("pod")) {
        const auto added = add_hosts(text, pod_addresses(client, call.text("pod")));
        if (!added.ok()) return added.error();
    }
    if (call.has("service")) {
        const auto service = item_of(client, "services", call.text("service"));
        if (!service.ok()) return service.error();
        const auto added = add_hosts(text, texts_at(service.value(), "/spec/clusterIPs", ""));
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
