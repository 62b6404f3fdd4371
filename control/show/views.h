// Views: the node model's answers about its state and about changes, as plain typed values.
//
// The node model fills them; render.h makes JSON from them, and other front ends may use other
// formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/kube/meta.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/border/log_level.h"

namespace podlane::control {

/// An object that is not served, or not whole.
struct RefusedView {
    std::optional<ObjectKey> key;  ///< none if its text does not even have that
    std::string message;           ///< one line
    friend bool operator==(const RefusedView&, const RefusedView&) = default;
};

/// The effect of a change of objects, or of a dry run.
struct ChangeReport {
    uint64_t generation = 0;  ///< the live one after it
    std::vector<ObjectKey> added, changed, removed;
    size_t unchanged = 0;
    std::vector<std::string> notices;  ///< one line each
    std::vector<RefusedView> refused;  ///< by this change
};

/// What belongs into a pod's resolv.conf, as kubelet writes it for dnsPolicy ClusterFirst.
struct PodDns {
    std::vector<IpAddress> servers;
    std::vector<std::string> search;
    std::vector<std::string> options;
};

/// A pod's port, as `pod.add` answers.
struct PodPortView {
    std::string name;  ///< the port's
    unsigned id = 0;
    std::string pod;        ///< "namespace/name"
    std::string container;  ///< empty where the runtime named none
    MacAddress mac{};
    std::vector<IpAddress> addresses, gateways;
    uint16_t mtu = 0;
    std::string netns, ifname;
    std::string socket_path;    ///< instead of an interface; empty: there is one
    std::optional<PodDns> dns;  ///< none where the node serves no names
};

/// What `pod.del` did.
struct PodRemoval {
    bool removed = false;
};

struct WorkerHealth {
    unsigned id = 0;
    bool is_alive = false;       ///< its thread exists
    uint64_t still_seconds = 0;  ///< it has not gone on for so long
};

/// As `health` answers.
struct HealthReport {
    uint64_t generation = 0;  ///< that every worker uses
    uint64_t uptime_seconds = 0;
    std::string node;
    std::vector<WorkerHealth> workers;
    std::vector<std::string> problems;   ///< of this node, one line each
    std::vector<std::string> elsewhere;  ///< of DNS servers outside, likewise
    bool is_live = true;   ///< false if something is wrong that only a restart can fix
    bool is_ready = true;  ///< it can carry traffic
    bool is_well = true;   ///< of the requested aspect: all, liveness or readiness
};

/// What an attacher of pods has to know of this node.
struct AttachFacts {
    std::string node;
    std::vector<IpPrefix> pod_cidrs;
    std::vector<IpAddress> gateways;  ///< of the pods
    uint16_t mtu = 0;                 ///< of the pods, bytes
};

/// How much is logged.
struct LogLevelView {
    LogLevel level = LogLevel::kInfo;
};

}  // namespace podlane::control
