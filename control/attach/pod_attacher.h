// The process that attaches pods (attaching.h), as podlaned sees it: made, asked, watched.
//
// The composition root makes it before any thread, and gives its calls to the makers of TAPs. A
// call waits for its answer, 20 seconds at most. Control thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/attach/wire.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/result.h"

namespace podlane::control {

class PodAttacher {
  public:
    /// Forks. `confine` runs in the new process before it answers; with an error it ends.
    [[nodiscard]] static Result<std::unique_ptr<PodAttacher>> start(
        const std::string& owner, const std::function<Result<void>()>& confine);
    PodAttacher(const PodAttacher&) = delete;
    PodAttacher& operator=(const PodAttacher&) = delete;
    /// Ends the process, and waits for its end, a second at most.
    ~PodAttacher();

    /// What keep_pod_tap(), or with `keep` false create_pod_tap(), makes of the request there.
    /// KeptTap::remove is good as long as this lives.
    [[nodiscard]] Result<KeptTap> make(const PodTapRequest& request, bool keep);
    /// attach_pod_tap() for each, eight at once.
    [[nodiscard]] std::vector<Result<KeptTap>> attach(const std::vector<PodTapRequest>& requests);
    /// What stands at the path; zeros where nothing does, or nobody answers.
    [[nodiscard]] NetnsId netns_id(const std::string& path);

    /// Why it is gone; nothing while it runs.
    [[nodiscard]] std::optional<std::string> how_it_ended();
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    struct Reply {
        AttachAnswer answer;
        std::vector<UniqueFd> queues;
    };
    PodAttacher(UniqueFd socket, pid_t pid) noexcept : socket_(std::move(socket)), pid_(pid) {}

    /// Replies in the order of the requests.
    [[nodiscard]] std::vector<Result<Reply>> ask(std::vector<AttachRequest> requests);
    /// The next answer, whatever request it is for.
    [[nodiscard]] Result<Reply> receive();
    [[nodiscard]] Result<KeptTap> tap_of(Result<Reply> reply);

    UniqueFd socket_;
    pid_t pid_;  ///< 0: waited for
    uint32_t last_id_ = 0;
    std::string ending_;
};

}  // namespace podlane::control
