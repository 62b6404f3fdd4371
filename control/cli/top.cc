#include "control/cli/top.h"

#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ostream>
#include <utility>

#include "control/cli/cell.h"
#include "control/cli/run.h"
#include "control/cli/top_screen.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// Connections counted in one poll.
constexpr uint64_t kFlowsOfLook = 5000;
/// How many of the clients that open most connections are asked for.
constexpr uint64_t kOpeners = 50;
constexpr std::chrono::milliseconds kLook{100};
constexpr std::string_view kKeys = "q quit   p packets   b bytes   d drops   / filter";

/// A terminal that delivers keys one by one without echo, until this is destroyed.
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

    /// Waits for a key; 0 if none came.
    [[nodiscard]] char key(std::chrono::milliseconds timeout) const {
        pollfd in{STDIN_FILENO, POLLIN, 0};
        char pressed = 0;
        const int ready = ::poll(&in, is_on_ ? 1 : 0, static_cast<int>(timeout.count()));
        return ready > 0 && ::read(STDIN_FILENO, &pressed, 1) == 1 ? pressed : char{0};
    }

  private:
    termios before_{};
    bool is_on_ = false;
};

/// Handles a key; false to quit.
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
            view.order = TopOrder::kPackets;
            break;
        case 'b':
            view.order = TopOrder::kBytes;
            break;
        case 'd':
            view.order = TopOrder::kDrops;
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

/// Draws over the previous screen.
std::string redrawn(const std::string& text, const std::string& last_line) {
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
          count_(call.options.number("count")) {
        view_.filter = call.text("filter");
        if (call.text("sort") == "bytes") view_.order = TopOrder::kBytes;
        if (call.text("sort") == "drops") view_.order = TopOrder::kDrops;
    }

    int run() {
        const int code = look_again_and_again();
        if (environment_.is_terminal) environment_.out << '\n';
        return code == exit_code::kDone ? finish(environment_) : code;
    }

  private:
    int look_again_and_again() {
        const RawTerminal terminal;
        auto stats = client_.call("stats");
        if (!stats) return fail(environment_, stats.error());
        sample_.before = std::move(stats).value();
        if (auto peers = client_.call("peers")) sample_.peers = std::move(peers).value();
        // Counting begins with the first question, so that the first screen has what it counted.
        static_cast<void>(client_.call("newflows", Json{{"limit", kOpeners}}));
        Clock::time_point looked = Clock::now();
        if (environment_.is_terminal) environment_.out << "\x1b[2J" << std::flush;
        for (uint64_t looks = 0; !count_ || looks < *count_;) {
            const char key = terminal.key(kLook);
            if (key != 0 && !press(key, view_, is_typing_)) return exit_code::kDone;
            if (key != 0 && looks > 0) draw();
            const auto now = Clock::now();
            if (now - looked < std::chrono::seconds(1)) continue;
            if (const auto read = read_flows(); !read) return fail(environment_, read.error());
            // An older podlaned does not have this.
            auto opened = client_.call("newflows", Json{{"limit", kOpeners}});
            sample_.opened = opened ? std::move(opened).value() : Json();
            // Nor this.
            auto peers = client_.call("peers");
            sample_.peers_before = std::exchange(sample_.peers, Json());
            if (peers) sample_.peers = std::move(peers).value();
            stats = client_.call("stats");
            if (!stats) return fail(environment_, stats.error());
            if (looks > 0) sample_.before = std::move(sample_.now);
            sample_.now = std::move(stats).value();
            sample_.seconds = std::chrono::duration<double>(now - looked).count();
            looked = now;
            ++looks;
            draw();
        }
        return exit_code::kDone;
    }

    /// Reads the next page. The last complete pass over the table is shown; during the first pass,
    /// what there is so far.
    Result<void> read_flows() {
        Json params{{"kind", "flows"}, {"limit", kFlowsOfLook}};
        if (next_ != 0) params["from"] = next_;
        const auto page = client_.call("get", params);
        if (!page) return page.error();
        const double now_s = std::chrono::duration<double>(Clock::now() - start_).count();
        for (const Json& flow : at(*page, "/items")) {
            passing_.add(flow);
            ++passed_;
            sample_.rates.add(flow, now_s);
        }
        next_ = page->value("next", uint64_t{0});
        if (next_ == 0 || !has_passed_) {
            sample_.holders = passing_;
            sample_.counted = next_ == 0 ? 0 : passed_;
        }
        if (next_ == 0) sample_.rates.end_pass();
        if (next_ != 0) return {};
        has_passed_ = true;
        passing_ = {};
        return {};
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
    const Clock::time_point start_ = Clock::now();
    const std::optional<uint64_t> count_;
    TopView view_;
    TopSample sample_;
    FlowHolders passing_;  ///< of the current pass over the flow table
    uint64_t passed_ = 0;  ///< connections that the first pass has seen
    uint64_t next_ = 0;    ///< where that pass continues; 0: at the beginning
    bool has_passed_ = false;
    bool is_typing_ = false;
};

}  // namespace

int run_top(const Invocation& call, CliEnvironment& environment) {
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    return Top(call, environment, std::move(client).value()).run();
}

}  // namespace podlane::control
