// The MAC addresses behind IP addresses on our links: the state machine of ARP and neighbour
// discovery.
//
// Pure: time is a parameter, requests are return values. The node model feeds it the
// workers' events and a timer (control thread), turns solicitations into commands for worker 0 and
// `changed` into a new snapshot. Timing follows RFC 4861 section 10, with a faster first answer;
// ARP (RFC 826, RFC 5227) is treated alike.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/model/ids.h"

namespace podlane::control {

enum class NeighbourState : uint8_t {
    kIncomplete,  ///< asked, no answer yet
    kReachable,   ///< answered not long ago
    kProbing,     ///< being asked again before it expires; its MAC address is still used
    kFailed,      ///< does not answer; asked again later
    kStatic,      ///< configured; never asked, never expires
};

/// As `get neighbors` shows it: "reachable", "incomplete", ...
[[nodiscard]] constexpr const char* to_string(NeighbourState state) noexcept {
    switch (state) {
        case NeighbourState::kIncomplete:
            return "incomplete";
        case NeighbourState::kReachable:
            return "reachable";
        case NeighbourState::kProbing:
            return "probing";
        case NeighbourState::kFailed:
            return "failed";
        case NeighbourState::kStatic:
            return "static";
    }
    return "";
}

/// A neighbour is an address on a port's link.
struct NeighbourKey {
    PortId port = kNoPort;
    IpAddress address;
    friend constexpr auto operator<=>(const NeighbourKey&, const NeighbourKey&) noexcept = default;
};

struct Neighbour {
    NeighbourState state = NeighbourState::kIncomplete;
    MacAddress mac{};             ///< zero if it was never known
    uint64_t confirmed_ms = 0;    ///< when it last answered; 0 before the first answer
    uint64_t last_needed_ms = 0;  ///< when a packet last waited for it
    uint64_t deadline_ms = 0;     ///< when tick() has something to do; unused for static ones
    unsigned attempts = 0;        ///< requests since the state was entered
    bool has_answered = false;    ///< this process

    /// Whether `mac` may be sent to.
    [[nodiscard]] bool is_resolved() const noexcept {
        return state == NeighbourState::kReachable || state == NeighbourState::kProbing ||
               state == NeighbourState::kStatic;
    }
};

/// A request that has to be sent.
struct Solicitation {
    NeighbourKey key;
    MacAddress unicast_to{};  ///< zero: to all (broadcast or solicited-node multicast)
};

/// The results of an input.
struct NeighbourOutcome {
    std::vector<Solicitation> solicitations;
    bool changed = false;  ///< an address became resolved, failed, forgotten, or has another MAC

    void add(NeighbourOutcome other) {
        solicitations.insert(solicitations.end(), other.solicitations.begin(),
                             other.solicitations.end());
        changed = changed || other.changed;
    }
};

/// All neighbours of all ports.
///
/// Only needed addresses are ever learned: an unknown sender's ARP or advertisement changes
/// nothing, so that strangers cannot fill the table. A known address takes a new MAC at once, as a
/// gratuitous ARP (fail-over) requires. All times in milliseconds of one monotonic clock; starting
/// with 0 is fine. Threads: one.
class NeighbourTable {
  public:
    static constexpr size_t kMaxPerPort = 1024;
    static constexpr unsigned kMulticastTries = 3;
    static constexpr unsigned kUnicastTries = 3;
    static constexpr uint64_t kFirstRetryMs = 250;  ///< doubles: answers are missed at 1.75 s
    static constexpr uint64_t kProbeIntervalMs = 1000;
    static constexpr uint64_t kReachableMs = 30'000;    ///< refreshed at 50-80 % of it
    static constexpr uint64_t kFailedMs = 5'000;        ///< negative cache
    static constexpr uint64_t kUnusedMs = 20 * 60'000;  ///< forgotten if not needed for this long

    explicit NeighbourTable(uint32_t jitter_seed = std::random_device{}()) : random_(jitter_seed) {}

    /// Configures a static neighbour; replaces what was learned.
    void add_static(const NeighbourKey& key, const MacAddress& mac);

    /// Adds a neighbour that an earlier process knew: it is used at once, and probed at the next
    /// tick(), by requests to all, as its MAC may have changed meanwhile. Does nothing if the
    /// neighbour is already known.
    void restore(const NeighbourKey& key, const MacAddress& mac, uint64_t now_ms);

    /// A packet waits for it (or was refused because it had failed).
    [[nodiscard]] NeighbourOutcome needed(const NeighbourKey& key, uint64_t now_ms);

    /// The link says that the address has this MAC; `solicited`: as an answer to a request of ours.
    [[nodiscard]] NeighbourOutcome seen(const NeighbourKey& key, const MacAddress& mac,
                                        bool solicited, uint64_t now_ms);

    /// The addresses that must stay resolved even if no packet needs them: other nodes, gateways.
    /// Replaces the set; sends requests for the new ones at once.
    [[nodiscard]] NeighbourOutcome set_wanted(std::set<NeighbourKey> wanted, uint64_t now_ms);

    /// Advances the time. Cheap if nothing is due.
    [[nodiscard]] NeighbourOutcome tick(uint64_t now_ms);

    /// Forgets all of a port that is gone, static ones too; true if there were any.
    bool remove_port(PortId port);

    [[nodiscard]] const Neighbour* find(const NeighbourKey& key) const;
    [[nodiscard]] const std::map<NeighbourKey, Neighbour>& all() const noexcept { return table_; }
    /// The time before which tick() has nothing to do; UINT64_MAX when it never will.
    [[nodiscard]] uint64_t next_deadline_ms() const noexcept { return next_deadline_ms_; }

  private:
    using Table = std::map<NeighbourKey, Neighbour>;

    [[nodiscard]] bool is_wanted(const NeighbourKey& key) const { return wanted_.contains(key); }
    void ask_first(const NeighbourKey& key, Neighbour& neighbour, uint64_t now_ms,
                   NeighbourOutcome& out);
    void confirm(Neighbour& neighbour, uint64_t now_ms);
    /// Handles one due entry; false: to be erased.
    [[nodiscard]] bool expire(const NeighbourKey& key, Neighbour& neighbour, uint64_t now_ms,
                              NeighbourOutcome& out);
    /// A new entry, or nullptr when the port is full of entries that may not go.
    Neighbour* insert(const NeighbourKey& key, NeighbourOutcome& out);
    void schedule(Neighbour& neighbour, uint64_t deadline_ms);

    Table table_;
    std::set<NeighbourKey> wanted_;
    std::map<PortId, size_t> count_;
    std::minstd_rand random_;
    uint64_t next_deadline_ms_ = UINT64_MAX;
};

}  // namespace podlane::control
