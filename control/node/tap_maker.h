// Creates the node's TAPs; tests replace it.
//
// Control thread only.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/attach/pod_attacher.h"
#include "control/netdev/host_rules.h"
#include "control/netdev/link_objects.h"
#include "control/netdev/netns.h"
#include "control/netdev/tap.h"
#include "lib/base/result.h"

namespace podlane::control {

/// A TAP that was made.
struct MadeTap {
    std::vector<int> queue_fds;    ///< the receiver's; the TAP lives until they are closed
    std::function<void()> remove;  ///< deletes the interface; harmless when it is gone
    /// Of a pod's pair: the index of its veth's end here; of a host TAP with the shortcut's
    /// program: its own. 0: a plain TAP.
    int node_end = 0;
    /// Of a host TAP: makes the kernel have a route to the address by it, or have none.
    std::function<Result<void>(const IpAddress& address, bool there)> set_route = {};
    /// For a host TAP: makes the kernel send exactly these packets of its own through it.
    std::function<Result<void>(const std::set<HostRule>& wanted)> set_rules = {};
};

/// A TAP for podlaned's own server, in a network namespace that only it uses.
struct MadeServerTap {
    MadeTap tap;             ///< its `remove` ends the namespace, too
    std::string netns_path;  ///< for in_network_namespace(), until then
};

class TapMaker {
  public:
    virtual ~TapMaker() = default;
    virtual Result<MadeTap> make_pod_tap(const PodTapRequest& request) = 0;
    virtual Result<MadeTap> make_host_tap(const HostTapRequest& request) = 0;
    virtual Result<MadeServerTap> make_server_tap(const ServerTapRequest& request) = 0;
    /// A TAP beside the NIC of that name, see PodAttacher::uplink(); MadeTap::node_end is the NIC.
    virtual Result<MadeTap> make_uplink_tap(const std::string& nic, uint16_t mtu,
                                            unsigned queues) = 0;
    /// The network namespace at the path; zeros if there is none.
    virtual NetnsId netns_id(const std::string& path) = 0;
    /// By the time this returns, all pods' TAPs removed in `work` have been removed together.
    virtual void remove_together(const std::function<void()>& work) { work(); }
};

/// The real one: the kernel's TAPs. Needs root.
class KernelTapMaker final : public TapMaker {
  public:
    /// `pods` makes pods' TAPs, and looks up their network namespaces.
    explicit KernelTapMaker(PodAttacher& pods) : pods_(pods) {}
    /// The host interface gets the routes, rules and neighbours of these.
    void take_from(std::vector<TakenLink> taken) { taken_ = std::move(taken); }

    Result<MadeTap> make_pod_tap(const PodTapRequest& request) override;
    Result<MadeTap> make_host_tap(const HostTapRequest& request) override;
    Result<MadeServerTap> make_server_tap(const ServerTapRequest& request) override;
    Result<MadeTap> make_uplink_tap(const std::string& nic, uint16_t mtu, unsigned queues) override;
    NetnsId netns_id(const std::string& path) override;
    void remove_together(const std::function<void()>& work) override {
        pods_.remove_together(work);
    }

  private:
    PodAttacher& pods_;
    std::vector<TakenLink> taken_;
};

/// Puts the shortcut's program on the host TAP, or takes it away, as asked for; warns if it cannot
/// be. MadeTap::node_end.
[[nodiscard]] int shortcut_of_host(PodAttacher& pods, const HostTapRequest& request);

/// Brings what uplinks' interfaces had to the host interface; warns of what cannot be there.
void move_all_to_host(const std::vector<TakenLink>& taken, const LinkPlace& host);

}  // namespace podlane::control
