// Waiting clients: `watch` and `events` calls of the config socket that had nothing to report when
// they came.
//
// The socket's bindings add them, the node model's news and their time wake them. Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <utility>

#include "control/node/node_model.h"
#include "control/rpc/methods.h"

namespace podlane::control {

class Watchers {
  public:
    Watchers(boost::asio::io_context& io, NodeModel& node) : io_(io), node_(node) {}

    /// Answers at once if there is something to tell or `wait` is zero, else when there is, or
    /// after `wait`.
    void add(WatchRequest request, std::chrono::seconds wait, RpcDone done);
    void add(HistoryRequest request, std::chrono::seconds wait, RpcDone done);
    /// There is news; many calls in one turn of the loop cost one look.
    void wake();
    [[nodiscard]] size_t waiting() const noexcept { return waiting_.size(); }

  private:
    /// Checks whether there is news to report; `is_last`: answers even if there is none.
    using Question = std::function<std::optional<RpcResult>(bool is_last)>;
    struct Waiting {
        Waiting(boost::asio::io_context& io, Question what, RpcDone whom)
            : ask(std::move(what)), done(std::move(whom)), timer(io) {}
        Question ask;
        RpcDone done;
        boost::asio::steady_timer timer;
    };
    void add(Question ask, std::chrono::seconds wait, RpcDone done);
    void look();

    boost::asio::io_context& io_;
    NodeModel& node_;
    std::list<Waiting> waiting_;
    bool look_due_ = false;
};

}  // namespace podlane::control
