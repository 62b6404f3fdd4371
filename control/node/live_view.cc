#include "control/node/live_view.h"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace podlane::control {

IpAddress tunnel_destination(const Adjacency& adjacency) {
    // After the outer Ethernet header; the destination is the last field of either IP header.
    constexpr size_t kEthernetBytes = 14;
    const uint8_t* end = adjacency.outer.data() + kEthernetBytes + adjacency.outer_l3_bytes;
    if (adjacency.outer_l3_bytes == V6::kMinHeaderBytes) {
        Ipv6Address address{};
        std::memcpy(&address, end - sizeof(address), sizeof(address));
        return address;
    }
    Ipv4Address address{};
    std::memcpy(&address, end - sizeof(address), sizeof(address));
    return address;
}

int cpu_of(const WorkerInfo& worker) {
    if (worker.cpu >= 0) return worker.cpu;
    std::ifstream stat(fmt::format("/proc/self/task/{}/stat", worker.tid));
    std::string line;
    if (!std::getline(stat, line)) return -1;
    // The thread's name may contain anything. Fields from 3 on follow its parenthesis; `processor`
    // is field 39 (proc(5)).
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    constexpr int kBeforeProcessor = 39 - 3;
    std::string skipped;
    for (int i = 0; i < kBeforeProcessor; ++i) fields >> skipped;
    int cpu = -1;
    return fields >> cpu ? cpu : -1;
}

std::map<ServiceId, std::string> service_names(const Snapshot& snapshot) {
    std::map<ServiceId, std::string> names;
    const auto take = [&names](const auto& frontend) {
        names.try_emplace(frontend.service, frontend.service_name);
    };
    snapshot.v4.frontends.for_each(take);
    snapshot.v6.frontends.for_each(take);
    return names;
}

}  // namespace podlane::control
