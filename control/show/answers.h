// Answers to single questions, as plain typed values: explain, resolve, flannel, ingress.objects.
//
// The node model fills them on the control thread; answers_json.h makes JSON of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/drop.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/decide/trace.h"
#include "lib/dns/answer.h"

namespace podlane::control {

enum class ExplainVerdict : uint8_t {
    kForward,
    kHost,    ///< given to the node's kernel
    kReply,   ///< answered by this node
    kReject,  ///< refused, and the sender is told
    kDrop,
};

/// As `explain` answers: what would become of a packet.
struct Explanation {
    std::vector<PathStep> steps;
    ExplainVerdict verdict = ExplainVerdict::kDrop;
    Drop reason = Drop::kNone;  ///< of a reject or a drop
    // Empty if they have no meaning:
    std::string out_port;
    std::string service;                         ///< "namespace/name"
    std::string translated_from, translated_to;  ///< "10.244.1.1", "10.244.1.10:8080"
    std::string tunnel;                          ///< "vxlan to 192.168.50.2"
};

/// For a name outside the cluster: the servers to ask.
struct UpstreamQuestion {
    std::string name;
    std::vector<std::string> servers;  ///< "192.0.2.1:53"
    std::vector<std::string> silent;   ///< of them, those that do not answer
};

/// As `resolve` answers.
struct Resolution {
    std::string name, type;                    ///< that were asked for
    DnsOutcome outcome = DnsOutcome::kAnswer;  ///< without `upstream`
    std::optional<UpstreamQuestion> upstream;
    std::vector<std::string> records;  ///< as in a zone file
};

/// As `flannel` answers: what flannel's nodes must know of this one.
struct FlannelFacts {
    std::string node;
    bool has_tunnel = false;  ///< else the node is a host-gw one, without the next three
    MacAddress vtep_mac{};
    uint32_t vni = 0;
    uint16_t port = 0;  ///< UDP, host order
    std::vector<IpPrefix> pod_cidrs;
    FlannelData annotations;
    std::string subnet_file;  ///< its content, for flannel and its CNI plugin
};

/// The answer of `ingress.objects`: all Ingresses and IngressClasses, and the objects that they
/// name.
struct IngressObjects {
    uint64_t generation = 0;
    std::optional<std::vector<Object>> objects;  ///< none: as the asker knows them
};

}  // namespace podlane::control
