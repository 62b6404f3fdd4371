#include "control/daemon/hand_over.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/daemon/methods.h"
#include "control/daemon/version.h"
#include "control/rpc/peer.h"

namespace podlane::control {

namespace {

using Json = nlohmann::ordered_json;

/// The next podlaned gets ready: it reads the journal, compiles, and takes the TAPs.
constexpr std::chrono::seconds kMostReady{60};
/// Workers rest this long at most; nothing is forwarded then.
constexpr std::chrono::seconds kMostRest{5};
constexpr std::chrono::milliseconds kNow{0};

RpcFailure refusal_of(std::string text) {
    return {rpc_code::kRefused, std::move(text), nullptr};
}

}  // namespace

HandOver::HandOver(boost::asio::io_context& io, Parts parts)
    : io_(io), parts_(std::move(parts)), limit_(io), readable_(io) {}

void HandOver::add_to(RpcMethods& methods) {
    methods.add("handover", [this](RpcRequest& request) { return begin(request); });
    methods.set_gate([this](std::string_view method) -> std::optional<RpcFailure> {
        if (!is_under_way() || !changes_node(method)) return std::nullopt;
        return RpcFailure{rpc_code::kFailed,
                          "another podlaned is about to take over; try again in a moment", nullptr};
    });
}

RpcResult HandOver::begin(RpcRequest& request) {
    const std::string path(request.params.text("path"));
    const auto form = request.params.number_if_any("form", 0, INT32_MAX);
    if (auto failure = request.params.failure()) return std::move(*failure);
    if (request.peer.uid != 0 && request.peer.uid != ::geteuid()) {
        return RpcFailure{rpc_code::kNotAllowed,
                          "handover: it is for root and podlaned's own user alone", nullptr};
    }
    if (is_under_way()) return refusal_of("handover: another podlaned is taking over already");
    if (form != kHandOverForm) {
        return refusal_of(fmt::format("handover: its form is {}, and that of {} is {}",
                                      form.value_or(0), version(), kHandOverForm));
    }
    if (std::string why = parts_.obstacle(); !why.empty()) return refusal_of("handover: " + why);
    is_due_ = true;
    // The reply is sent first.
    boost::asio::post(io_, [this, path, to = request.peer.pid] { give(path, to); });
    return Json{{"version", version()},
                {"pid", ::getpid()},
                {"workers", parts_.dataplane.workers().size()}};
}

void HandOver::give(const std::string& path, pid_t to) {
    is_due_ = false;
    spdlog::info("process {} is about to take over", to);
    if (auto given = give_all(path, to); !given.ok()) {
        give_up(given.error().message);
        return;
    }
    boost::system::error_code failed;
    readable_.assign(::dup(channel_->fd()), failed);
    if (failed) {
        give_up(failed.message());
        return;
    }
    limit(kMostReady, "to be ready");
    listen();
}

Result<void> HandOver::give_all(const std::string& path, pid_t to) {
    auto channel = FdChannel::connect(path);
    if (!channel.ok()) return channel.error();
    channel_.emplace(std::move(channel).value());
    if (channel_->peer() != to) return Error{"it is not the process that asked"};
    for (const HandedTap& tap : parts_.taps()) {
        const Json text{{"tap", {{"netns", tap.netns}, {"ifname", tap.ifname}}}};
        if (auto sent = channel_->send(text.dump(), tap.queues); !sent.ok()) return sent;
    }
    for (const HandedProgram& program : parts_.programs()) {
        const Json text{{"program", program.ifname}};
        if (auto sent = channel_->send(text.dump(), {&program.fd, 1}); !sent.ok()) return sent;
    }
    const int log = STDERR_FILENO;
    if (auto sent = channel_->send(Json{{"log", true}}.dump(), {&log, 1}); !sent.ok()) return sent;
    return channel_->send(kSayComplete);
}

void HandOver::listen() {
    readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& failed) {
                             if (!failed && channel_) heard();
                         });
}

void HandOver::heard() {
    const auto message = channel_->receive(kNow);
    if (!message.ok()) {
        give_up(message.error().message);
        return;
    }
    if (!message->has_value()) {
        give_up("it has ended");
        return;
    }
    const std::string& text = (*message)->text;
    if (text == kSayDone && rests_) {
        is_done_ = true;
        limit_.cancel();
        parts_.done();
        return;
    }
    if (text != kAskToRest || rests_) {
        give_up("it says what is not understood");
        return;
    }
    rests_ = parts_.dataplane.rest();
    const std::string_view answer = rests_ ? kSayRests : "a worker stands still";
    if (auto sent = channel_->send(answer); !sent.ok() || !rests_) {
        give_up(sent.ok() ? "a worker stands still" : sent.error().message);
        return;
    }
    limit(kMostRest, "to go on while nothing is forwarded");
    listen();
}

void HandOver::limit(std::chrono::seconds most, const char* what) {
    limit_.expires_after(most);
    limit_.async_wait([this, most, what](const boost::system::error_code& cancelled) {
        if (cancelled || !channel_) return;
        // Two processes must never forward at the same time.
        if (const pid_t other = channel_->peer(); rests_ && other > 0) {
            ::syscall(SYS_tgkill, other, other, SIGKILL);
        }
        give_up(fmt::format("it needs more than {} s {}", most.count(), what));
    });
}

void HandOver::give_up(const std::string& why) {
    limit_.cancel();
    boost::system::error_code ignored;
    readable_.close(ignored);
    channel_.reset();
    const bool had_begun = std::exchange(rests_, false);
    if (had_begun) parts_.dataplane.go_on();
    parts_.failed(why, had_begun);
}

}  // namespace podlane::control
