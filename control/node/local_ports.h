// The ports of this node's own: pods', the kernel's, the DNS server's. Who makes one owns it whole,
// the TAP, the port of the dataplane and what it had counted before, and gives it back whole.
//
// The node model owns them; control thread only.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/objects.h"
#include "control/node/tap_maker.h"
#include "control/show/node_stats.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// The sums since the process began. Ids are used again and counters go on, so a port's own count
/// is what lies above its baseline.
[[nodiscard]] PortTotals port_totals(const Dataplane& dataplane, PortId port);

/// A TAP, or a device, in the dataplane's service, from its making to its end.
///
/// What ends unpublished is closed, and its interface removed. What a live generation names still
/// is left to the dataplane, which closes it when the workers have ended; its interface goes.
/// Threads: one.
class LocalPort {
  public:
    /// Gives the TAP to the dataplane; on an error the TAP is removed.
    static Result<LocalPort> open(Dataplane& dataplane, TapPortSpec spec, MadeTap tap);
    static Result<LocalPort> open_device(Dataplane& dataplane, const std::string& name,
                                         const std::string& device, uint16_t mtu);
    LocalPort(LocalPort&& from) noexcept;
    LocalPort& operator=(LocalPort&& from) noexcept;
    LocalPort(const LocalPort&) = delete;
    LocalPort& operator=(const LocalPort&) = delete;
    ~LocalPort();

    [[nodiscard]] PortId id() const noexcept { return id_; }
    [[nodiscard]] const PortTotals& baseline() const noexcept { return baseline_; }
    /// A generation names it from now on, or none does any more.
    void set_published(bool published) noexcept { published_ = published; }
    /// end() without the removal of the TAP, which is the caller's to do; empty: none is to be.
    [[nodiscard]] std::function<void()> end_but_for_tap() noexcept;

  private:
    LocalPort(Dataplane& dataplane, PortId id, std::function<void()> remove_tap);
    void end() noexcept;

    Dataplane* dataplane_ = nullptr;  ///< null: moved from
    PortId id_ = kNoPort;
    std::function<void()> remove_tap_;  ///< empty for a device
    PortTotals baseline_;
    bool published_ = false;
};

/// By what a runtime knows a pod's port: a sandbox and an interface in it. A pod's name is a label,
/// for the next sandbox of the pod has it, too. Where no container is named, `container` is the
/// pod's name and `ifname` is empty.
struct PodPortKey {
    std::string container;
    std::string ifname;

    friend auto operator<=>(const PodPortKey&, const PodPortKey&) = default;
};

/// A pod with a port on this node.
struct AttachedPod {
    LocalPort port;
    std::string name;       ///< the port's; unique
    std::string pod;        ///< "namespace/name"
    std::string container;  ///< empty where the runtime named none
    MacAddress mac{};
    std::vector<IpAddress> addresses;  ///< sorted
    std::string netns;                 ///< path; empty for a static port
    std::string ifname;                ///< inside the pod; empty for a static port
    uint16_t mtu = 0;
    std::vector<ContainerPort> host_ports = {};  ///< asked for by the runtime
    bool is_static = false;                      ///< of the configuration, on a DPDK device

    [[nodiscard]] PodPortKey key() const;
};

/// By the port's name.
using AttachedPods = std::map<std::string, AttachedPod, std::less<>>;

/// Ports of the node that runtimes asked for, by the names of the pods' ports.
using HostPorts = std::map<std::string, std::vector<ContainerPort>>;

/// Every port of this node's own, each once.
class LocalPorts {
  public:
    [[nodiscard]] const AttachedPods& pods() const noexcept { return pods_; }
    [[nodiscard]] const AttachedPod* find(const PodPortKey& key) const;
    /// The port of that name, else the first one of the pod of that name.
    [[nodiscard]] const AttachedPod* find(std::string_view port_or_pod) const;
    [[nodiscard]] const AttachedPod* at(PortId id) const;
    /// The ports of a container, all of them or the one of that name in it.
    [[nodiscard]] std::vector<PodPortKey> of_container(std::string_view container,
                                                       std::string_view ifname) const;
    [[nodiscard]] const AttachedPod* owner_of(const IpAddress& address) const;
    [[nodiscard]] bool has_mac(const MacAddress& mac) const;
    /// Whose runtime asked for this port of the node, or one that overlaps, but for this pod.
    [[nodiscard]] const AttachedPod* host_port_user(const ContainerPort& port,
                                                    std::string_view but_for) const;
    /// A name for a port: the pod's, or where that is another port's, one with the interface's name
    /// and the container's beginning behind it.
    [[nodiscard]] std::string free_name(const std::string& pod, const std::string& ifname,
                                        const std::string& container) const;
    /// What the port had counted when it got its present use; zero for ports of others.
    [[nodiscard]] PortTotals baseline(PortId id) const;

    AttachedPod& add(AttachedPod pod);
    /// Takes host ports that overlap with `wanted` from the ports of the pod: its next sandbox has
    /// them. Returns what those ports had.
    HostPorts take_host_ports(std::string_view pod, const std::vector<ContainerPort>& wanted);
    void set_host_ports(HostPorts ports);
    /// Out of the set, still open: to be ended, or put back when that cannot be.
    [[nodiscard]] AttachedPod take(const PodPortKey& key);

    void set_host(LocalPort port) { host_ = std::move(port); }
    void set_dns(LocalPort port) { dns_ = std::move(port); }
    /// kNoPort without one.
    [[nodiscard]] PortId host() const noexcept { return host_ ? host_->id() : kNoPort; }

    /// A generation with all of them is live.
    void set_published() noexcept;
    /// Ends all of them. TAPs are removed by several threads: the kernel takes some ten
    /// milliseconds for each, most of it waiting.
    void clear() noexcept;

  private:
    AttachedPods pods_;
    std::map<PodPortKey, std::string> names_;  ///< of pods_, by key
    std::optional<LocalPort> dns_;
    std::optional<LocalPort> host_;
};

}  // namespace podlane::control
