// The process that attaches pods (attaching.h) from podlaned's side: start, ask, watch it.
//
// The composition root starts it before any thread, and the makers of TAPs use it. A call waits up
// to five seconds for its answer. Control thread.
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
#include "control/shortcut/program.h"
#include "lib/base/result.h"

namespace podlane::control {

class PodAttacher {
  public:
    /// Forks. `confine` runs in the new process; if it fails, start() returns its error. `wait_ms`:
    /// how long a call waits for an answer.
    [[nodiscard]] static Result<std::unique_ptr<PodAttacher>> start(
        const std::string& owner, const std::function<Result<void>()>& confine, int wait_ms = 5000);
    PodAttacher(const PodAttacher&) = delete;
    PodAttacher& operator=(const PodAttacher&) = delete;
    /// Ends the process, and waits a second at most for its end.
    ~PodAttacher();

    /// Runs keep_pod_tap(), or create_pod_tap() if `keep` is false, in the other process.
    /// KeptTap::remove is valid as long as this object lives.
    [[nodiscard]] Result<KeptTap> make(const PodTapRequest& request, bool keep);
    /// attach_pod_tap() for each request, several at once. `in_use`: its argument for each; empty:
    /// false.
    [[nodiscard]] std::vector<Result<KeptTap>> attach(const std::vector<PodTapRequest>& requests,
                                                      const std::vector<bool>& in_use = {});
    /// When this returns, all interfaces whose KeptTap::remove was called in `work` are removed,
    /// several at once.
    void remove_together(const std::function<void()>& work);
    /// Loads the kernel's shortcut, before the first pair is asked for, and opens its maps. Not
    /// `wanted`: stops what an earlier process has left of it; no maps then.
    [[nodiscard]] Result<std::optional<ShortcutMaps>> shortcut(bool wanted);
    /// Removes pairs that nobody uses, of a podlaned that was killed. Once all that are kept have
    /// been attached.
    void sweep();
    /// Makes a TAP beside the NIC with that name, and puts programs on both that pass all frames
    /// between them (control/netdev/uplink_tap.h). It ends with its queues.
    [[nodiscard]] Result<KeptTap> uplink(const std::string& ifname, uint16_t mtu, unsigned queues);
    /// Puts the shortcut's program on the host interface of that name, a TAP. Not `wanted`: takes
    /// away what an earlier process has left there. The interface's index; 0: it has no program.
    [[nodiscard]] Result<int> host(const std::string& ifname, bool wanted);
    /// The network namespace at the path; zeros if there is none, or no answer.
    [[nodiscard]] NetnsId netns_id(const std::string& path);

    /// How the process ended on its own; nothing while it runs.
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
    /// The next answer, to any request.
    [[nodiscard]] Result<Reply> receive();
    /// Handles an answer that came too late: removes what it made.
    void undo(const Reply& late);
    [[nodiscard]] Result<KeptTap> tap_of(Result<Reply> reply, const AttachRequest& request);

    UniqueFd socket_;
    pid_t pid_;  ///< 0: already waited for
    const int wait_ms_;
    uint32_t last_id_ = 0;
    /// Requests without an answer in time: no more than fit in the socket.
    std::map<uint32_t, AttachRequest> late_;
    std::vector<AttachRequest>* removals_ = nullptr;  ///< of remove_together(), while it runs
    std::string ending_;
};

}  // namespace podlane::control
