// Prepares a kernel interface to serve as an uplink: the kernel must not answer on it as well, and
// must deliver frames as they are on the wire.
//
// A packet socket (net_af_packet) gets copies: the kernel still processes each frame, and would
// answer in addition to podlane. It also gets frames after the kernel has merged them or before it
// has segmented them, while its ring has 2 kB for a frame. The composition root guards such an
// interface before its device is opened and keeps the guard as long as the port. Control thread;
// root is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/netdev/guard_memory.h"
#include "control/netdev/link_objects.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace podlane::control {

/// How podlane takes frames from the interface.
enum class KernelInterfaceUse : uint8_t {
    kPacketSocket,  ///< net_af_packet, net_pcap
    kXdpSocket,     ///< net_af_xdp: the kernel does not see the frames, but still sends its own
    kPrograms,      ///< net_tc: likewise, by programs at the interface's ingress
};

/// What was given back by give_back_kernel_interface().
struct GivenBack {
    std::vector<std::string> done;      ///< a line for each object
    std::vector<std::string> failures;  ///< a line for each that could not be put back
};

/// Holds an interface's old settings and puts them back when it goes.
class KernelInterfaceGuard {
  public:
    KernelInterfaceGuard(KernelInterfaceGuard&&) noexcept = default;
    KernelInterfaceGuard& operator=(KernelInterfaceGuard&&) = delete;
    ~KernelInterfaceGuard() { restore(); }

    /// Lines for the log since the last call: what was taken over, and other addresses that the
    /// kernel has on the interface.
    [[nodiscard]] std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }
    [[nodiscard]] std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }
    [[nodiscard]] const std::string& ifname() const noexcept { return ifname_; }
    /// Checks the interface's addresses again: a DHCP client may have set one, or the operator may
    /// have removed one. Call it about once a second.
    void look() noexcept;
    /// Restores the old settings, addresses, routes and neighbours now, overwriting changes that
    /// others have made. What cannot be restored is in take_warnings().
    void restore() noexcept;
    /// What the interface had of what is taken over, for the host interface and the workers.
    [[nodiscard]] TakenLink taken() const;
    /// The host interface that will have it and its owner (kept_tap.h), for whoever gives it back.
    [[nodiscard]] Result<void> set_host(const std::string& ifname, const std::string& owner);
    [[nodiscard]] const std::string& host() const noexcept { return old_.host; }
    [[nodiscard]] const std::string& owner() const noexcept { return old_.owner; }
    /// Leaves the interface unchanged, and the file with its old settings, for the next process.
    void leave() noexcept;
    /// The descriptor that holds the attached XDP program; -1 if none is attached. The guard's own.
    [[nodiscard]] int program() const noexcept { return xdp_.get(); }
    /// An earlier process had left it guarded.
    [[nodiscard]] bool was_left() const noexcept { return was_left_; }

  private:
    friend Result<KernelInterfaceGuard> guard_kernel_interface(
        const std::string& ifname, KernelInterfaceUse use, const std::vector<InterfaceAddress>& own,
        const std::string& memory, UniqueFd program);
    friend Result<std::optional<GivenBack>> give_back_kernel_interface(const std::string& ifname,
                                                                       const std::string& memory);
    KernelInterfaceGuard() = default;
    /// Takes over what a killed process has left; false if there is no record of this interface.
    [[nodiscard]] Result<bool> recall(const LinkInfo& link);
    /// Call it before each change, so that the file always covers all changes.
    [[nodiscard]] Result<void> remember() const;
    [[nodiscard]] Result<void> set(const std::string& sysctl, const std::string& value);
    [[nodiscard]] Result<void> guard_addresses(int ifindex);
    [[nodiscard]] Result<void> take_over(const LinkPlace& place, const LinkObjects& objects);
    [[nodiscard]] Result<void> guard_family(bool v4);
    void give_back();
    void restore_link();
    void warn_of_lapsed();
    /// A DHCP client may have replaced a route of the host interface by one of this one.
    void mend_host();
    void stop_merging(KernelInterfaceUse use);
    /// Makes sure that the interface's ingress is ours alone if programs are to be there, and takes
    /// away what an earlier process had there otherwise.
    [[nodiscard]] Result<void> claim_ingress(Rtnl& rtnl, int ifindex, KernelInterfaceUse use);
    [[nodiscard]] Result<void> turn_off(uint32_t command, uint32_t old_value, uint32_t new_value);

    std::string ifname_;
    std::string memory_path_;            ///< "": not kept
    GuardMemory old_;                    ///< what is to be put back
    std::vector<InterfaceAddress> own_;  ///< podlane's: the kernel has them on the host TAP
    std::vector<InterfaceAddress> foreign_;
    bool is_guarded_v4_ = false;
    bool is_guarded_v6_ = false;
    bool was_left_ = false;
    bool cannot_look_ = false;              ///< look() has said why
    std::vector<InterfaceAddress> lapsed_;  ///< look() has said that their time is over
    std::vector<std::string> notes_;
    std::vector<std::string> warnings_;
    UniqueFd xdp_;
};

/// Stops the kernel from answering on `ifname`, an interface in our own namespace, and sets it up:
/// IPv4 with rp_filter=1 and arp_ignore=8 (sources are routed elsewhere, no ARP is answered), IPv6
/// with disable_ipv6=1. Takes the addresses in `own`, the uplink's, off it, with the routes,
/// permanent neighbours and lifetimes there, and restores them at the end. If the interface has
/// other addresses of a family (except link-local IPv6), that family is left alone while it has
/// them, with a warning that lists them. For a packet socket also turns off GRO and LRO, and makes
/// the far end of a veth segment its TCP; for programs, turns off LRO and claims the interface's
/// ingress, which must be free. `memory`, if not empty, is a file that records what to
/// restore while the guard exists; what a killed guard has recorded there is restored as well.
/// `program`: what program() of a guard in another process gave.
[[nodiscard]] Result<KernelInterfaceGuard> guard_kernel_interface(
    const std::string& ifname, KernelInterfaceUse use,
    const std::vector<InterfaceAddress>& own = {}, const std::string& memory = {},
    UniqueFd program = {});

/// Restores what a killed guard has recorded in `memory`, and removes the file. None if there is no
/// record, or another interface has the name by now.
[[nodiscard]] Result<std::optional<GivenBack>> give_back_kernel_interface(
    const std::string& ifname, const std::string& memory);

struct TakeOverPreview {
    bool is_taken = false;  ///< a podlaned has done so
    TakenLink link;
    std::vector<std::string> lines;  ///< for each object, and for each address that stays
};

/// What a guard would take over, or has taken over; nothing is changed. `own`: the uplink's
/// addresses.
[[nodiscard]] Result<TakeOverPreview> preview_take_over(const std::string& ifname,
                                                        const std::vector<InterfaceAddress>& own,
                                                        const std::string& memory);

}  // namespace podlane::control
