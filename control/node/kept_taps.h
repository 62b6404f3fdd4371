// The node's TAPs if they survive the process: created, attached to again, left or removed.
//
// The composition root uses it instead of KernelTapMaker; the node model sees its two interfaces.
// Control thread.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/attach/pod_attacher.h"
#include "control/netdev/kept_tap.h"
#include "control/netdev/netns.h"
#include "control/node/tap_maker.h"
#include "lib/base/result.h"

namespace podlane::control {

/// What the node model needs in addition to TapMaker.
class KeptTaps {
  public:
    virtual ~KeptTaps() = default;
    /// Pods' interfaces that an earlier process has left, in the order of the requests; missing
    /// ones are created again.
    virtual std::vector<Result<MadeTap>> attach_pod_taps(
        const std::vector<PodTapRequest>& requests) = 0;
    /// From now on MadeTap::remove leaves interfaces, routes and rules for the next process: all,
    /// or only those of an earlier process.
    virtual void leave(bool former_ones_only) noexcept = 0;
};

/// The kernel's. Needs root.
class KeptTapMaker final : public TapMaker, public KeptTaps {
  public:
    /// The queues of TAPs that an earlier process still has open, by the path of their network
    /// namespace (empty for the node's own) and their name.
    using Queues = std::map<std::pair<std::string, std::string>, std::vector<UniqueFd>>;

    /// `owner`: the node's name. `pods` makes pods' TAPs, and was given the same name.
    KeptTapMaker(std::string owner, PodAttacher& pods, Queues handed = {});

    /// The host interface gets the routes, rules and neighbours of these.
    void take_from(std::vector<TakenLink> taken) { taken_ = std::move(taken); }
    Result<MadeTap> make_pod_tap(const PodTapRequest& request) override;
    Result<MadeTap> make_host_tap(const HostTapRequest& request) override;
    Result<MadeServerTap> make_server_tap(const ServerTapRequest& request) override;
    Result<MadeTap> make_uplink_tap(const std::string& nic, uint16_t mtu, unsigned queues) override;
    /// Begins to attach to what attach_pod_taps() will be asked for, on a thread of its own; what
    /// it then has not been asked for is closed. Once, and before anything else is asked for.
    void attach_ahead(std::vector<PodTapRequest> requests);
    std::vector<Result<MadeTap>> attach_pod_taps(
        const std::vector<PodTapRequest>& requests) override;
    void leave(bool former_ones_only) noexcept override;
    NetnsId netns_id(const std::string& path) override;
    void remove_together(const std::function<void()>& work) override {
        pods_.remove_together(work);
    }

  private:
    struct Leaving {
        bool former = false;
        bool all = false;
    };
    [[nodiscard]] MadeTap made_of(KeptTap tap) const;

    [[nodiscard]] std::vector<UniqueFd> take_handed(const std::string& netns,
                                                    const std::string& ifname);

    /// The interfaces of these requests that were attached ahead; empty places for the others.
    [[nodiscard]] std::vector<std::optional<KeptTap>> take_ahead(
        const std::vector<PodTapRequest>& requests);

    std::string owner_;
    PodAttacher& pods_;
    Queues handed_;
    std::vector<TakenLink> taken_;
    std::vector<PodTapRequest> asked_ahead_;
    std::future<std::vector<Result<KeptTap>>> ahead_;
    std::shared_ptr<Leaving> leaving_;  ///< read by the TAPs' `remove`
    std::shared_ptr<HostRules> rules_;
    KernelTapMaker others_;
};

}  // namespace podlane::control
