// This node's own ports: those of pods, the kernel and the DNS server. The TAP, the dataplane port
// and its counter baseline have one owner and one lifetime.
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
#include "control/netdev/pod_socket.h"
#include "control/node/tap_maker.h"
#include "control/show/node_stats.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// The sums since the process began. Ids are reused and counters continue, so a port's own count is
/// the sum minus its baseline.
[[nodiscard]] PortTotals port_totals(const Dataplane& dataplane, PortId port);

/// A TAP, or a device, as a port of the dataplane, from creation to end.
///
/// A port that ends unpublished is closed, and its interface removed. A port that a live generation
/// still refers to is left to the dataplane, which closes it when the workers have ended; its
/// interface is removed.
/// Threads: one.
class LocalPort {
  public:
    /// Gives the TAP to the dataplane; on an error the TAP is removed.
    static Result<LocalPort> open(Dataplane& dataplane, TapPortSpec spec, MadeTap tap);
    /// `at_end`, which may be empty, is called when the device is closed.
    static Result<LocalPort> open_device(Dataplane& dataplane, const DevicePortSpec& spec,
                                         std::function<void()> at_end = {});
    LocalPort(LocalPort&& from) noexcept;
    LocalPort& operator=(LocalPort&& from) noexcept;
    LocalPort(const LocalPort&) = delete;
    LocalPort& operator=(const LocalPort&) = delete;
    ~LocalPort();

    [[nodiscard]] PortId id() const noexcept { return id_; }
    /// Of a pair, the veth's end in this process's namespace; else 0.
    [[nodiscard]] int node_end() const noexcept { return node_end_; }
    [[nodiscard]] const PortTotals& baseline() const noexcept { return baseline_; }
    /// A generation names it from now on, or none does any more.
    void set_published(bool published) noexcept { published_ = published; }
    /// Like end(), but returns the removal of the TAP for the caller to run; may be empty.
    [[nodiscard]] std::function<void()> end_but_for_tap() noexcept;

  private:
    LocalPort(Dataplane& dataplane, PortId id, std::function<void()> remove_tap);
    void end() noexcept;

    Dataplane* dataplane_ = nullptr;  ///< null: moved from
    PortId id_ = kNoPort;
    std::function<void()> remove_tap_;  ///< or what a device leaves behind; may be empty
    PortTotals baseline_;
    int node_end_ = 0;
    bool published_ = false;
};

/// How a runtime identifies a pod's port: a sandbox and an interface in it. A pod's name is only a
/// label, because the pod's next sandbox has it, too. If no container is named, `container` is the
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
    std::string container;  ///< empty if the runtime named none
    MacAddress mac{};
    std::vector<IpAddress> addresses;  ///< sorted
    std::string netns;                 ///< path; empty for a static port
    std::string ifname;                ///< inside the pod; empty for a static port
    uint16_t mtu = 0;
    std::vector<ContainerPort> host_ports = {};  ///< requested by the runtime
    Bandwidth bandwidth = {};                    ///< as asked for, likewise
    PodSocket socket = {};                       ///< instead of an interface
    bool is_static = false;                      ///< of the configuration, on a DPDK device

    [[nodiscard]] PodPortKey key() const;
};

/// By the port's name.
using AttachedPods = std::map<std::string, AttachedPod, std::less<>>;

/// Host ports that runtimes requested, by the names of the pods' ports.
using HostPorts = std::map<std::string, std::vector<ContainerPort>>;

/// Every port of this node's own, each once.
class LocalPorts {
  public:
    [[nodiscard]] const AttachedPods& pods() const noexcept { return pods_; }
    [[nodiscard]] const AttachedPod* find(const PodPortKey& key) const;
    /// The port with that name, else the first port of the pod with that name.
    [[nodiscard]] const AttachedPod* find(std::string_view port_or_pod) const;
    [[nodiscard]] const AttachedPod* at(PortId id) const;
    /// All ports of a container, or the one with that interface name.
    [[nodiscard]] std::vector<PodPortKey> of_container(std::string_view container,
                                                       std::string_view ifname) const;
    [[nodiscard]] const AttachedPod* owner_of(const IpAddress& address) const;
    [[nodiscard]] bool has_mac(const MacAddress& mac) const;
    /// Another pod whose runtime requested this host port, or one that overlaps it.
    [[nodiscard]] const AttachedPod* host_port_user(const ContainerPort& port,
                                                    std::string_view but_for) const;
    /// A name for a port: the pod's name or, if another port has that, the pod's name followed by
    /// the interface's name and the beginning of the container's id.
    [[nodiscard]] std::string free_name(const std::string& pod, const std::string& ifname,
                                        const std::string& container) const;
    /// The port's counts when its present use began; zero for ports that are not ours.
    [[nodiscard]] PortTotals baseline(PortId id) const;

    AttachedPod& add(AttachedPod pod);
    /// Takes host ports that overlap with `wanted` from the pod's ports, because its next sandbox
    /// gets them. Returns the host ports that those ports had.
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
    /// Ends all of them without reading their losses a last time. Call within
    /// TapMaker::remove_together(): the kernel needs some ten milliseconds per TAP, mostly waiting.
    void clear() noexcept;

  private:
    AttachedPods pods_;
    std::map<PodPortKey, std::string> names_;  ///< of pods_, by key
    std::optional<LocalPort> dns_;
    std::optional<LocalPort> host_;
};

}  // namespace podlane::control
