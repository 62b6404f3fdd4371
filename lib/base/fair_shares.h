// A bounded number of places that clients share, so that none can take them all.
//
// Not for threads that share it. Used for connections to the node's own servers.
#pragma once

#include <cstddef>
#include <map>

namespace podlane {

/// Who holds fewer places than are free gets one more: one client that takes what it can get ends
/// up with half of them, n such clients with 1/(n+1) each, and a new client always finds one, as
/// long as there are fewer clients than places.
///
/// Source: dynamic thresholds (Choudhury and Hahne, 1998), with a factor of 1.
template <class Client>
class FairShares {
  public:
    explicit FairShares(size_t places) noexcept : free_(places) {}

    /// False: the client has its share; otherwise release() gives the place back.
    [[nodiscard]] bool take(const Client& client) {
        const auto found = held_.find(client);
        if (free_ <= (found == held_.end() ? 0 : found->second)) return false;
        ++held_[client];
        --free_;
        return true;
    }
    void release(const Client& client) noexcept {
        const auto found = held_.find(client);
        if (found == held_.end()) return;
        ++free_;
        if (--found->second == 0) held_.erase(found);
    }

  private:
    size_t free_;
    std::map<Client, size_t> held_;
};

}  // namespace podlane
