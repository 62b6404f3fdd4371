// The node's TAPs where they outlive the process: made, attached to again, left or removed.
//
// The composition root makes it in place of KernelTapMaker; the node model sees its two interfaces.
// Control thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/netdev/kept_tap.h"
#include "control/node/tap_maker.h"
#include "lib/base/result.h"

namespace podlane::control {

/// What the node model asks beyond TapMaker.
class KeptTaps {
  public:
    virtual ~KeptTaps() = default;
    /// Pods' interfaces that a process before this one has left, in the order of the requests; what
    /// is gone is made again.
    virtual std::vector<Result<MadeTap>> attach_pod_taps(
        const std::vector<PodTapRequest>& requests) = 0;
    /// From here on MadeTap::remove leaves interfaces, routes and rules for the next process: all,
    /// or those of a process before this one.
    virtual void leave(bool former_ones_only) noexcept = 0;
};

/// The kernel's. Needs root.
class KeptTapMaker final : public TapMaker, public KeptTaps {
  public:
    /// The queues of TAPs that a process before this one has open still, by the path of their
    /// network namespace (the node's own: empty) and their name.
    using Queues = std::map<std::pair<std::string, std::string>, std::vector<UniqueFd>>;

    /// `owner`: the node's name.
    explicit KeptTapMaker(std::string owner, Queues handed = {});

    Result<MadeTap> make_pod_tap(const PodTapRequest& request) override;
    Result<MadeTap> make_host_tap(const HostTapRequest& request) override;
    Result<MadeServerTap> make_server_tap(const ServerTapRequest& request) override;
    std::vector<Result<MadeTap>> attach_pod_taps(
        const std::vector<PodTapRequest>& requests) override;
    void leave(bool former_ones_only) noexcept override;

  private:
    struct Leaving {
        bool former = false;
        bool all = false;
    };
    [[nodiscard]] MadeTap made_of(KeptTap tap) const;

    [[nodiscard]] std::vector<UniqueFd> take_handed(const std::string& netns,
                                                    const std::string& ifname);

    std::string owner_;
    Queues handed_;
    std::shared_ptr<Leaving> leaving_;  ///< what the taps' `remove` looks at
    std::shared_ptr<HostRules> rules_;
    KernelTapMaker others_;
};

}  // namespace podlane::control
