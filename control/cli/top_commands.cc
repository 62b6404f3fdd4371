// The row of `top`: a terminal that is redrawn, and its keys.
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ostream>

#include "control/capture/packet_text.h"
#include "control/cli/cell.h"
#include "control/cli/commands.h"
#include "control/cli/run.h"
#include "control/cli/top_screen.h"
#include "control/kube/base64.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr auto kTopOptions = std::to_array<OptionRow>({
    {"count", 0, OptionType::kNumber, "N", "end after N looks, one a second"},
    {"sort", 0, OptionType::kWord, "ORDER", "senders by packets (default), bytes or new flows",
     "packets bytes new"},
    {"filter", 0, OptionType::kText, "TEXT", "only rows that have it"},
    {"one-in", 0, OptionType::kNumber, "N", "look at one packet in so many (default 16)"},
});

constexpr uint64_t kUsualSample = 16;
/// Samples a second at most: what a terminal's reader can follow without a CPU of its own.
constexpr uint64_t kSamplesPerSecond = 5000;
/// Enough for a tunnel's headers over IPv6 and the inner ones.
constexpr uint64_t kSampleBytes = 160;
constexpr std::chrono::milliseconds kLook{100};
constexpr std::string_view kKeys = "q quit   p packets   b bytes   n new flows   / filter";

/// A terminal that gives keys one by one, without showing them, until it goes.
class RawTerminal {
  public:
    RawTerminal() {
        is_on_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (!is_on_) return;
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~RawTerminal() {
        if (is_on_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    /// Waits for a key; 0: none came.
    [[nodiscard]] char key(std::chrono::milliseconds timeout) const {
        pollfd in{STDIN_FILENO, POLLIN, 0};
        char key = 0;
        const int ready = ::poll(&in, is_on_ ? 1 : 0, static_cast<int>(timeout.count()));
        return ready > 0 && ::read(STDIN_FILENO, &key, 1) == 1 ? key : char{0};
    }

  private:
    termios before_{};
    bool is_on_ = false;
};

/// What keys do; false: the end.
bool press(char key, TopView& view, bool& is_typing) {
    if (is_typing) {
        if (key == '\n' || key == '\r' || key == 27) {
            is_typing = false;
        } else if (key == 127 || key == '\b') {
            if (!view.filter.empty()) view.filter.pop_back();
        } else if (key >= ' ') {
            view.filter += key;
        }
        return true;
    }
    switch (key) {
        case 'q':
            return false;
        case 'p':
            view.order = TalkerOrder::kPackets;
            break;
        case 'b':
            view.order = TalkerOrder::kBytes;
            break;
        case 'n':
            view.order = TalkerOrder::kNewFlows;
            break;
        case '/':
            view.filter.clear();
            is_typing = true;
            break;
        default:
            break;
    }
    return true;
}

void count_packet(const Json& packet, uint64_t weight, Talkers& talkers) {
    const auto bytes = from_base64(packet.value("bytes", ""));
    if (!bytes) return;
    const auto wire = packet.value("wireBytes", uint32_t{0});
    const auto ends =
        packet_ends({{reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, wire});
    if (!ends) return;
    talkers.add({.from = ends->from,
                 .in_port = packet.value("inPort", ""),
                 .last_to = ends->to,
                 .packets = 1,
                 .bytes = wire,
                 .new_flows = packet.value("slow", "") == "no flow yet" ? uint64_t{1} : 0},
                weight);
}

/// Draws over what the last look left.
std::string redrawn(std::string text, const std::string& last_line) {
    std::string out = "\x1b[H";
    for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
        end = text.find('\n', begin);
        out += text.substr(begin, end - begin) + "\x1b[K\n";
    }
    return out + "\x1b[J" + last_line;
}

/// One run of top.
class Top {
  public:
    Top(const Invocation& call, CliEnvironment& environment, RpcClient client)
        : environment_(environment),
          client_(std::move(client)),
          screen_(screen_of(call, environment)),
          one_in_(call.options.number("one-in").value_or(kUsualSample)),
          count_(call.options.number("count")) {
        view_.filter = call.text("filter");
        if (call.text("sort") == "bytes") view_.order = TalkerOrder::kBytes;
        if (call.text("sort") == "new") view_.order = TalkerOrder::kNewFlows;
    }

    int run() {
        const auto started =
            client_.call("probe.start", Json{{"points", {"in"}},
                                             {"snapBytes", kSampleBytes},
                                             {"packetsPerSecond", kSamplesPerSecond},
                                             {"oneIn", one_in_}});
        if (!started) return fail(environment_, started.error());
        probe_ = Json{{"probe", at(*started, "/probe")}};
        const int code = look_again_and_again();
        (void)client_.call("probe.stop", probe_);
        if (environment_.is_terminal) environment_.out << '\n';
        return code == exit_code::kDone ? finish(environment_) : code;
    }

  private:
    int look_again_and_again() {
        const RawTerminal terminal;
        auto stats = client_.call("stats");
        if (!stats) return fail(environment_, stats.error());
        sample_.before = std::move(stats).value();
        Clock::time_point looked = Clock::now();
        if (environment_.is_terminal) environment_.out << "\x1b[2J" << std::flush;
        for (uint64_t looks = 0; !count_ || looks < *count_;) {
            const char key = terminal.key(kLook);
            if (key != 0 && !press(key, view_, is_typing_)) return exit_code::kDone;
            if (key != 0 && looks > 0) draw();
            const auto batch = client_.call("probe.read", probe_);
            if (!batch) return fail(environment_, batch.error());
            for (const Json& packet : at(*batch, "/packets")) {
                count_packet(packet, one_in_, fresh_);
            }
            const auto now = Clock::now();
            if (now - looked < std::chrono::seconds(1)) continue;
            stats = client_.call("stats");
            if (!stats) return fail(environment_, stats.error());
            if (looks > 0) sample_.before = std::move(sample_.now);
            sample_.now = std::move(stats).value();
            sample_.seconds = std::chrono::duration<double>(now - looked).count();
            sample_.talkers = std::move(fresh_);
            fresh_ = {};
            looked = now;
            ++looks;
            draw();
        }
        return exit_code::kDone;
    }

    void draw() {
        const std::string text = top_text(sample_, view_, screen_);
        if (!environment_.is_terminal) {
            environment_.out << text << '\n' << std::flush;
            return;
        }
        const std::string last = is_typing_ ? "filter: " + printable(view_.filter)
                                            : std::string(kKeys).substr(0, screen_.columns);
        environment_.out << redrawn(text, last) << std::flush;
    }

    CliEnvironment& environment_;
    RpcClient client_;
    const Screen screen_;
    const uint64_t one_in_;
    const std::optional<uint64_t> count_;
    Json probe_;
    TopView view_;
    TopSample sample_;
    Talkers fresh_;  ///< since the last look
    bool is_typing_ = false;
};

int run_top(const Invocation& call, CliEnvironment& environment) {
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    return Top(call, environment, std::move(client).value()).run();
}

constexpr std::array kCommands{
    CliCommand{.name = "top",
               .synopsis = "",
               .summary = "who sends most, and how busy ports, Services and workers are",
               .details = "Senders are counted in a sample of the packets that come in: one in "
                          "--one-in, 5000 a second at most. Keys: q quits; p, b and n sort senders "
                          "by packets, bytes and new flows; / filters.",
               .examples = "  podlanectl top --sort new\n"
                           "  podlanectl top --count 1 | head -20",
               .options = kTopOptions,
               .run = run_top},
};

}  // namespace

std::span<const CliCommand> top_commands() noexcept {
    return kCommands;
}

}  // namespace podlane::control
