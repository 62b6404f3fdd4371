// The rows of `capture` and `trace`.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <ostream>

#include "control/capture/pcapng.h"
#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/probe_reader.h"
#include "control/cli/run.h"
#include "control/cli/target.h"
#include "control/cli/trace_join.h"
#include "control/cli/trace_text.h"
#include "control/kube/base64.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

// For both commands.
constexpr OptionRow kReasonOption{"reason", 0, OptionType::kText, "REASON",
                                  "only packets dropped for this reason"};
constexpr OptionRow kPodOption{"pod", 0, OptionType::kText, "[NAMESPACE/]POD",
                               "only packets from or to this pod's addresses"};
constexpr OptionRow kServiceOption{"service", 0, OptionType::kText, "[NAMESPACE/]SERVICE",
                                   "only packets from or to this Service's cluster addresses"};
constexpr OptionRow kOneInOption{"one-in", 0, OptionType::kNumber, "N",
                                 "one in so many of the packets that fit"};
constexpr OptionRow kCountOption{"count", 'c', OptionType::kNumber, "N", "end after so many"};
constexpr OptionRow kSecondsOption{"seconds", 0, OptionType::kNumber, "N", "end after so long"};

constexpr auto kCaptureOptions = std::to_array<OptionRow>({
    {"write", 'w', OptionType::kText, "FILE", "where to (- for stdout, which is the default)"},
    {"port", 0, OptionType::kText, "NAME", "only what comes in or leaves by this port"},
    {"point", 0, OptionType::kText, "POINTS",
     "where: in, inside, out, drop, joined by commas (default in,out)"},
    {"drops", 0, OptionType::kFlag, "", "only dropped packets, where they are dropped"},
    kReasonOption,
    kPodOption,
    kServiceOption,
    kNamespaceOption,
    {"snap", 0, OptionType::kNumber, "BYTES", "of a frame at most (default: all)"},
    {"rate", 0, OptionType::kNumber, "N", "packets a second at most (default 10000; 0: all)"},
    kOneInOption,
    kCountOption,
    {"size", 0, OptionType::kNumber, "BYTES", "end before the file is larger"},
    kSecondsOption,
});

constexpr auto kTraceOptions = std::to_array<OptionRow>({
    {"port", 0, OptionType::kText, "NAME", "only what comes in by this port"},
    kReasonOption,
    kPodOption,
    kServiceOption,
    kNamespaceOption,
    {"rate", 0, OptionType::kNumber, "N", "packets a second at most (default 1000; 0: all)"},
    kOneInOption,
    kCountOption,
    kSecondsOption,
});

constexpr uint64_t kTraceRate = 1000;

/// The words of a list joined by commas.
Json split(const std::string& list) {
    Json out = Json::array();
    size_t begin = 0;
    for (size_t end = 0; end != std::string::npos; begin = end + 1) {
        end = list.find(',', begin);
        out.push_back(list.substr(begin, end - begin));
    }
    return out;
}

std::optional<std::chrono::steady_clock::time_point> end_of(const Invocation& call) {
    const auto seconds = call.options.number("seconds");
    if (!seconds) return std::nullopt;
    return std::chrono::steady_clock::now() + std::chrono::seconds(*seconds);
}

/// Sets the probe.start parameters that capture and trace share, the same for each source.
Result<void> set_params(const Invocation& call, std::span<ProbeSource> sources) {
    const auto text = filter_text(call, sources);
    if (!text.ok()) return text.error();
    auto lines = filter_lines(text.value());
    if (!lines.ok()) return lines.error();
    Json params{{"filter", std::move(lines).value()}};
    if (call.has("port")) params["port"] = call.text("port");
    if (call.has("reason")) params["reason"] = call.text("reason");
    if (const auto rate = call.options.number("rate")) params["packetsPerSecond"] = *rate;
    if (const auto one_in = call.options.number("one-in")) params["oneIn"] = *one_in;
    for (ProbeSource& source : sources) source.params = params;
    return {};
}

/// One source for each socket of the call.
Result<std::vector<ProbeSource>> connect_all(const Invocation& call) {
    std::vector<ProbeSource> sources;
    for (const std::string& socket : call.sockets) {
        auto client = connect(call, socket);
        if (!client) return client.error();
        sources.push_back({std::move(client).value(), {}});
    }
    return sources;
}

/// "send to default/web; flow TCP 10.244.1.10:4000 > 10.96.0.10:80 (shop/web), ...".
std::string comment_of(const Json& packet) {
    std::string out = text_in(packet, "verdict");
    const std::string reason = text_in(packet, "reason");
    if (!reason.empty()) out += ": " + reason;
    const std::string out_port = text_in(packet, "outPort");
    if (!out_port.empty()) out += " by " + out_port;
    const std::string slow = text_in(packet, "slow");
    if (!slow.empty()) out += "; slow path: " + slow;
    const std::string flow = text_in(packet, "flow");
    if (!flow.empty()) {
        out += "; flow " + flow;
        const std::string service = text_in(packet, "service");
        if (!service.empty()) out += " (" + service + ")";
        out += ", replies " + text_in(packet, "replies");
    }
    return out;
}

/// Readable by its owner only if it is new: packets can contain secrets.
bool open_for_one_user(const std::string& path, std::ofstream& out) {
    const mode_t before = ::umask(077);
    out.open(path, std::ios::binary | std::ios::trunc);
    ::umask(before);
    return static_cast<bool>(out);
}

/// The capture's output and its limits.
struct CaptureFile {
    std::ostream* out = nullptr;
    std::string pending;  ///< blocks that are not written yet
    uint64_t written = 0;
    uint64_t packets = 0;
    std::optional<uint64_t> most_bytes, most_packets;

    [[nodiscard]] bool flush() {
        out->write(pending.data(), static_cast<std::streamsize>(pending.size()));
        out->flush();
        written += pending.size();
        pending.clear();
        return static_cast<bool>(*out);
    }
    /// False when enough packets are written.
    [[nodiscard]] bool add(PcapngWriter& writer, const Json& packet) {
        const auto bytes = from_base64(text_in(packet, "bytes"));
        if (!bytes) return true;
        const std::string point = text_in(packet, "point");
        const bool is_outbound =
            point == "out" || (point == "inside" && packet.contains("outPort"));
        const std::string name = text_in(packet, is_outbound ? "outPort" : "inPort");
        const std::string interface = point == "inside" ? name + " (inside)"
                                      : point == "drop" ? name + " (drop)"
                                                        : name;
        const std::string comment = comment_of(packet);
        const size_t before = pending.size();
        writer.add({.interface = interface,
                    .time_ns = packet.value("timeNs", uint64_t{0}),
                    .is_outbound = is_outbound,
                    .wire_bytes = packet.value("wireBytes", uint32_t{0}),
                    .bytes = {reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()},
                    .comment = comment,
                    .packet_id = packet.value("packet", uint64_t{0})});
        if (most_bytes && written + pending.size() > *most_bytes) {
            pending.resize(before);
            return false;
        }
        ++packets;
        return !most_packets || packets < *most_packets;
    }
};

int run_capture(const Invocation& call, CliEnvironment& environment) {
    const std::string path = call.has("write") ? call.text("write") : "-";
    if (path == "-" && environment.is_terminal) {
        environment.err << "error: a capture is no text for a terminal: give -w FILE, or pipe it "
                           "(podlanectl capture | tcpdump -nr -)\n";
        return exit_code::kWrongUsage;
    }
    auto sources = connect_all(call);
    if (!sources) return fail(environment, sources.error());
    if (const auto set = set_params(call, *sources); !set) return fail(environment, set.error());
    Json& params = sources->front().params;
    const bool only_drops = call.has("drops") || call.has("reason");
    const std::string points = call.has("point") ? call.text("point")
                               : only_drops      ? "drop"
                                                 : "in,out";
    params["points"] = split(points);
    if (const auto snap = call.options.number("snap")) params["snapBytes"] = *snap;

    std::ofstream file;
    CaptureFile capture{.out = &environment.out,
                        .most_bytes = call.options.number("size"),
                        .most_packets = call.options.number("count")};
    if (path != "-") {
        if (!open_for_one_user(path, file)) {
            return fail(environment, Error{path + ": cannot be written"});
        }
        capture.out = &file;
    }
    Json ports;
    PcapngWriter writer(capture.pending, "podlanectl " PODLANE_VERSION);
    const auto outcome = read_probes(
        *sources, end_of(call),
        [&](const Json& there_are) {
            ports = there_are;
            (void)capture.flush();
            environment.err << "capturing at " << points << '\n' << std::flush;
        },
        [&](size_t, const Json& packet) { return capture.add(writer, packet); },
        [&] { return capture.flush(); });
    if (!outcome.ok()) return fail(environment, outcome.error());
    // tcpdump refuses a file without any interface.
    if (capture.packets == 0 && !ports.empty()) writer.describe(ports.front().get<std::string>());
    if (!capture.most_bytes) writer.finish(outcome->missed);
    const bool is_written = capture.flush();
    environment.err << fmt::format("{} packets captured, {} missed\n", capture.packets,
                                   outcome->missed);
    if (!is_written) return fail(environment, Error{path + ": cannot be written"});
    return finish(environment);
}

/// Where traces are written, and how many at most.
class TraceOutput {
  public:
    TraceOutput(const Invocation& call, CliEnvironment& environment)
        : out_(environment.out),
          is_json_(call.format == OutputFormat::kJson || call.format == OutputFormat::kYaml),
          most_(call.options.number("count")) {}

    void add(const TracedPacket& packet) {
        ++seen_;
        out_ << (is_json_ ? json_text(trace_json(packet), -1) : trace_text(packet, seen_) + '\n');
    }
    void add(const TracedWay& way) {
        ++seen_;
        out_ << (is_json_ ? json_text(way_json(way), -1) : way_text(way, seen_) + '\n');
    }
    [[nodiscard]] bool wants_more() const { return !most_ || seen_ < *most_; }
    [[nodiscard]] bool flush() { return static_cast<bool>(out_.flush()); }
    [[nodiscard]] uint64_t seen() const { return seen_; }

  private:
    std::ostream& out_;
    const bool is_json_;
    const std::optional<uint64_t> most_;
    uint64_t seen_ = 0;
};

/// The names of the nodes asked.
Result<std::vector<std::string>> names_of(std::span<ProbeSource> sources) {
    std::vector<std::string> names;
    for (ProbeSource& source : sources) {
        const auto health = source.client.call("health");
        if (!health) return health.error();
        names.push_back(text_in(*health, "node"));
        if (std::ranges::count(names, names.back()) > 1) {
            return Error{"--socket: two of them are of node " + names.back()};
        }
    }
    return names;
}

int run_trace(const Invocation& call, CliEnvironment& environment) {
    auto sources = connect_all(call);
    if (!sources) return fail(environment, sources.error());
    if (const auto set = set_params(call, *sources); !set) return fail(environment, set.error());
    for (ProbeSource& source : *sources) {
        if (!call.has("rate")) source.params["packetsPerSecond"] = kTraceRate;
    }
    const bool is_joined = sources->size() > 1;
    const auto names = is_joined ? names_of(*sources)
                                 : Result<std::vector<std::string>>(std::vector{std::string()});
    if (!names) return fail(environment, names.error());
    TraceOutput output(call, environment);
    std::vector<TraceAssembler> assemblers(sources->size());
    TraceJoiner joiner;
    const auto show_ways = [&](bool all) {
        for (const TracedWay& way : joiner.take(TraceJoiner::Clock::now(), all)) {
            if (output.wants_more()) output.add(way);
        }
    };
    const auto outcome = read_probes(
        *sources, end_of(call), [&](const Json&) { environment.err << "tracing\n"
                                                                   << std::flush; },
        [&](size_t source, const Json& record) {
            auto whole = assemblers[source].add(record);
            if (!whole) return true;
            if (is_joined) {
                joiner.add({(*names)[source], std::move(*whole)}, TraceJoiner::Clock::now());
                return true;
            }
            output.add(*whole);
            return output.wants_more();
        },
        [&] {
            if (is_joined) show_ways(false);
            return output.flush() && output.wants_more();
        });
    if (!outcome.ok()) return fail(environment, outcome.error());
    show_ways(true);
    environment.err << fmt::format("{} packets traced, {} missed\n", output.seen(),
                                   outcome->missed);
    return finish(environment);
}

constexpr std::array kCaptureCommands{
    CliCommand{
        .name = "capture",
        .synopsis = "[FILTER...] [-w FILE]",
        .summary = "packets as they pass, as a pcapng file",
        .details =
            "FILTER is pcap's (pcap-filter(7)), asked of the frame at each point: in, as it comes "
            "in by a port; inside, without the tunnel's headers; out, as it leaves, rewritten; "
            "drop, where it is dropped. A comment says what becomes of each packet, why, and of "
            "which flow it is. Ends at --count, --size, --seconds or Ctrl-C.",
        .examples = "  podlanectl capture tcp port 80 | tcpdump -nr -\n"
                    "  podlanectl capture --pod shop/web-0 -w web.pcapng --seconds 10\n"
                    "  podlanectl capture --reason policy_ingress | tshark -r -",
        .options = kCaptureOptions,
        .most_words = 256,
        .word_kind = WordKind::kText,
        .method = "probe.start",
        .run = run_capture},
    CliCommand{.name = "trace",
               .synopsis = "[FILTER...]",
               .summary = "real packets, stage by stage: what each saw, decided and wrote",
               .details =
                   "FILTER is pcap's (pcap-filter(7)), asked of the frame as it comes in, and of a "
                   "tunnel's packet without the tunnel's headers. Cycles are those of the stage "
                   "for the whole burst. With several --socket each packet is followed over their "
                   "nodes. Ends at --count, --seconds or Ctrl-C.",
               .examples = "  podlanectl trace --pod shop/web-0 -c 5\n"
                           "  podlanectl trace tcp port 80 and host 10.244.1.9\n"
                           "  podlanectl trace --reason policy_ingress\n"
                           "  podlanectl trace --socket /run/a.sock --socket /run/b.sock icmp",
               .options = kTraceOptions,
               .most_words = 256,
               .word_kind = WordKind::kText,
               .method = "probe.start",
               .takes_sockets = true,
               .run = run_trace},
};

}  // namespace

std::span<const CliCommand> capture_commands() noexcept {
    return kCaptureCommands;
}

}  // namespace podlane::control
