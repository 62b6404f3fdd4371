#include "control/node/peer_watch.h"

#include <utility>

namespace podlane::control {

namespace {

PeerTraffic operator-(PeerTraffic sum, const PeerTraffic& before) {
    sum.rx_packets -= before.rx_packets;
    sum.rx_bytes -= before.rx_bytes;
    sum.tx_packets -= before.tx_packets;
    sum.tx_bytes -= before.tx_bytes;
    return sum;
}

}  // namespace

PeerWatch::~PeerWatch() {
    if (is_on_) dataplane_.count_peers(false);
}

PeerReport PeerWatch::report(const std::map<std::string, NodeNumber>& nodes, uint64_t now_ms) {
    looked_ms_ = now_ms;
    if (!is_on_) {
        is_on_ = true;
        on_since_ms_ = now_ms;
        dataplane_.count_peers(true);
    }
    PeerReport out{.milliseconds = counted_ms_ + now_ms - on_since_ms_, .peers = {}};
    std::map<std::string, Known> known;
    for (const auto& [name, number] : nodes) {
        const PeerTraffic now = dataplane_.peer_traffic(number);
        const auto had = known_.find(name);
        // A number may have been another Node's, also one that had this name.
        const bool is_new = had == known_.end() || had->second.number != number;
        const Known& here =
            known.emplace(name, is_new ? Known{number, now} : had->second).first->second;
        out.peers.push_back({name, now - here.before});
    }
    known_ = std::move(known);
    return out;
}

void PeerWatch::tick(uint64_t now_ms) {
    if (!is_on_ || now_ms - looked_ms_ <= kLookMs) return;
    is_on_ = false;
    counted_ms_ += now_ms - on_since_ms_;
    dataplane_.count_peers(false);
}

}  // namespace podlane::control
