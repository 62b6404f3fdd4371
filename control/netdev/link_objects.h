// Reads what the kernel has configured on an interface, and makes the same on another one or again
// on the same.
//
// The guard of uplink interfaces (kernel_guard.h) and the maker of the host interface use it.
// Control thread; changes need root.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/netdev/link_record.h"
#include "lib/base/result.h"

struct nl_sock;

namespace podlane::control {

/// Of one interface. Without what the kernel itself makes for an address or a link.
struct LinkObjects {
    std::vector<LinkRecord> addresses;   ///< in their order: the first of a subnet is its primary
    std::vector<LinkRecord> neighbours;  ///< permanent ones
    std::vector<LinkRecord> routes;      ///< of all tables
    std::vector<LinkRecord> rules;       ///< that name the interface

    [[nodiscard]] bool empty() const noexcept {
        return addresses.empty() && neighbours.empty() && routes.empty() && rules.empty();
    }
    friend bool operator==(const LinkObjects&, const LinkObjects&) = default;
};

/// An uplink's interface whose configuration the host interface takes.
struct TakenLink {
    LinkPlace place;
    LinkObjects objects;
    /// Its kernel follows router advertisements: 0, or the value of accept_ra.
    int accept_ra = 0;
};

class LinkEditor {
  public:
    [[nodiscard]] static Result<LinkEditor> open();

    [[nodiscard]] Result<LinkObjects> read(const LinkPlace& place);
    /// Makes one object; it is not an error if it is there.
    [[nodiscard]] Result<void> put(const LinkRecord& record, const LinkMove& move);
    /// Removes it; it is not an error if it is not there.
    [[nodiscard]] Result<void> remove(const LinkRecord& record, const LinkMove& move);
    /// Makes all in the order in which they need each other; returns a line for each object that
    /// cannot be made.
    [[nodiscard]] std::vector<std::string> put_all(const std::vector<LinkRecord>& records,
                                                   const LinkMove& move);
    /// put_all() for addresses: one that was the first of its subnet is so again.
    [[nodiscard]] std::vector<std::string> put_addresses(const std::vector<LinkRecord>& addresses,
                                                         const LinkMove& move);
    /// Waits until the kernel has made its own routes from a router's advertisement, and removes
    /// those that `move` has put behind them. Those that do not come within kMostWait stay until
    /// their time is over.
    void await_advertised(const std::vector<LinkRecord>& routes, const LinkMove& move);
    static constexpr std::chrono::milliseconds kMostWait{4000};

  private:
    struct Close {
        void operator()(nl_sock* socket) const noexcept;
    };
    LinkEditor() = default;
    /// All objects of a kind, RTM_GET*, and a family.
    [[nodiscard]] Result<std::vector<LinkRecord>> dump(uint16_t get, int family);
    [[nodiscard]] int send(uint16_t type, int flags, const std::vector<uint8_t>& body);

    std::unique_ptr<nl_sock, Close> socket_;
};

/// Takes the routes, rules and neighbours of `taken` to the interface `to`, which has the addresses
/// already. Returns a line for each that cannot be there.
[[nodiscard]] std::vector<std::string> move_to_host(const TakenLink& taken, const LinkPlace& to);

}  // namespace podlane::control
