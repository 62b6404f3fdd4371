// The zone that the DNS server's thread answers from, given to it by the control thread.
//
// Only control ever owns a zone: the server borrows it under a lock. Whether the zone's arrays are
// copied or changed in place depends on their number of owners, so there must be no owners
// elsewhere.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "lib/dns/zone.h"

namespace podlane::control {

/// Threads: set() on the control thread, with() on any.
class ZoneHolder {
  public:
    void set(std::shared_ptr<const DnsZone> zone) {
        {
            const std::lock_guard lock(mutex_);
            zone_.swap(zone);
        }
        // The old zone ends here, outside of the lock.
    }
    /// Calls `use(const DnsZone&)` and returns what it returns; T{} while there is no zone. The
    /// returned value must not point into the zone.
    template <class Use>
    auto with(Use use) const {
        const std::lock_guard lock(mutex_);
        using T = decltype(use(*zone_));
        return zone_ ? use(*zone_) : T{};
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const DnsZone> zone_;
};

}  // namespace podlane::control
