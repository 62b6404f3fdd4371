// Which connections of the node's own kernel to the node's own addresses are podlane's: routing
// rules ahead of the kernel's `local` table, which would deliver them by `lo`.
//
// kube-proxy catches such packets in netfilter's OUTPUT chain. Here a rule for each address,
// protocol and range of ports sends them by the host interface, and the workers do the rest. The
// node model sets them with each change of frontends; control thread, root is needed.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

struct nl_sock;

namespace podlane::control {

/// Packets of this node's own to `address`, of an IP protocol with ports, to first..last.
struct HostRule {
    IpAddress address;
    uint8_t protocol = 0;
    uint16_t first = 0;  ///< port, host order
    uint16_t last = 0;
    friend auto operator<=>(const HostRule&, const HostRule&) = default;
};

/// Joins neighbouring ports to ranges. Above `most` rules, those of one address and protocol become
/// one that spans them: the workers return packets to ports in it that are not served to the
/// kernel.
[[nodiscard]] std::vector<HostRule> merge_rules(const std::set<HostRule>& rules, size_t most);

/// The rules, and the routes that they lead to. Both are identified by kHostRuleTable, so that
/// those of an earlier podlaned are found: entries that are still right stay untouched.
class HostRules {
  public:
    /// More are spanned (merge_rules()): the kernel goes through them one by one.
    static constexpr size_t kMostRules = 128;

    /// `ifname`: the host interface, with `addresses`; packets go to `mac` on it, the workers'.
    HostRules(std::string ifname, std::vector<InterfaceAddress> addresses, MacAddress mac);
    HostRules(HostRules&&) noexcept = default;
    ~HostRules();

    /// Makes these our only rules. The kernel's own rules are not changed before there is one of
    /// ours.
    [[nodiscard]] Result<void> set(const std::set<HostRule>& wanted);
    /// Undoes what a process before this one has left.
    static void remove_left() noexcept;
    /// They stay when this object ends, and the next process takes them over.
    void leave() noexcept { socket_.reset(); }

  private:
    struct Close {
        void operator()(nl_sock* socket) const noexcept;
    };
    [[nodiscard]] Result<void> connect();
    [[nodiscard]] Result<void> prepare();
    [[nodiscard]] Result<void> change(const HostRule& rule, bool there);
    [[nodiscard]] Result<void> move_local_behind(int family);
    /// Takes the rules that a process before this one has left as set.
    void take_over(int family);
    /// Undoes all rules of the family, also those left by a podlaned that was killed.
    void remove_all(int family) noexcept;

    std::string ifname_;
    std::vector<InterfaceAddress> addresses_;
    MacAddress mac_;
    std::unique_ptr<nl_sock, Close> socket_;  ///< null: no changes made yet
    std::set<HostRule> set_;
};

/// The routing table to which our rules lead, and the rules' preference: just ahead of where the
/// rule for `local` is put (others who do the same use 100 as well).
inline constexpr uint32_t kHostRuleTable = 9600;
inline constexpr uint32_t kHostRulePreference = 96;
inline constexpr uint32_t kLocalPreference = 100;

}  // namespace podlane::control
