// The process that attaches pods (attaching.h), as podlaned sees it: made, asked, watched.
//
// The composition root makes it before any thread, and gives its calls to the makers of TAPs. A
// call waits for an answer, five seconds at most. Control thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/attach/wire.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

class PodAttacher {
  public:
    /// Forks. `confine` runs in the new process; its error is this one's. `wait_ms`: how long a
    /// call waits for an answer.
    [[nodiscard]] static Result<std::unique_ptr<PodAttacher>> start(
        const std::string& owner, const std::function<Result<void>()>& confine, int wait_ms = 5000);
    PodAttacher(const PodAttacher&) = delete;
    PodAttacher& operator=(const PodAttacher&) = delete;
    /// Ends the process, and waits for its end, a second at most.
    ~PodAttacher();

    /// What keep_pod_tap(), or with `keep` false create_pod_tap(), makes of the request there.
    /// KeptTap::remove is good as long as this lives.
    [[nodiscard]] Result<KeptTap> make(const PodTapRequest& request, bool keep);
    /// attach_pod_tap() for each, some at once. `in_use`: its argument, for each; empty: false.
    [[nodiscard]] std::vector<Result<KeptTap>> attach(const std::vector<PodTapRequest>& requests,
                                                      const std::vector<bool>& in_use = {});
    /// The interfaces whose KeptTap::remove is called in `work` are removed when it returns, some
    /// at once.
    void remove_together(const std::function<void()>& work);
    /// Which network namespace stands at the path; zeros where none does, or nobody answers.
    [[nodiscard]] NetnsId netns_id(const std::string& path);

    /// How it has ended by itself; nothing while it runs.
    [[nodiscard]] std::optional<std::string> how_it_ended();
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    struct Reply {
        AttachAnswer answer{};
        std::vector<UniqueFd> queues;
    };
    PodAttacher(UniqueFd socket, pid_t pid, int wait_ms) noexcept
        : socket_(std::move(socket)), pid_(pid), wait_ms_(wait_ms) {}

    /// Replies in the order of the requests.
    [[nodiscard]] std::vector<Result<Reply>> ask(std::vector<AttachRequest> requests);
    [[nodiscard]] Result<void> send(AttachRequest& request);
    /// The next answer, whatever request it is for.
    [[nodiscard]] Result<Reply> receive();
    /// An answer that nobody waits for any more: what it made is removed.
    void undo(const Reply& late);
    [[nodiscard]] Result<KeptTap> tap_of(Result<Reply> reply, const AttachRequest& request);

    UniqueFd socket_;
    pid_t pid_;  ///< 0: waited for
    const int wait_ms_;
    uint32_t last_id_ = 0;
    /// Those without an answer in time: no more than the socket has room for.
    std::map<uint32_t, AttachRequest> late_;
    std::vector<AttachRequest>* removals_ = nullptr;  ///< of remove_together(), while it runs
    std::string ending_;
};

}  // namespace podlane::control
