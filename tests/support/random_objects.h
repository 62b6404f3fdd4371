// Random Kubernetes objects with few names and addresses, so that they clash, go and come back.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/ip_address.h"

namespace podlane::control::test {

/// A cluster of two nodes, seen from node-a: 192.168.50.1, fd00:50::1, pods 10.244.1.0/24 and
/// fd00:10:1::/64; node-b has .2 and 2 instead. Services have addresses in 10.96.0.0/24 and
/// fd00:96::/120. The same seed gives the same objects.
class RandomObjects {
  public:
    explicit RandomObjects(uint64_t seed) : random_(seed) {}

    [[nodiscard]] unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }
    template <class T>
    [[nodiscard]] const T& one_of(const std::vector<T>& list) {
        return list[below(static_cast<unsigned>(list.size()))];
    }

    /// One of 16 possible names.
    [[nodiscard]] NamespacedName service_name();
    /// A pod of either node; node-a has kLocalPods of them.
    [[nodiscard]] IpAddress pod_ip(bool v6);
    static constexpr unsigned kLocalPods = 3;
    /// 10.244.NODE.N+2 or its IPv6 counterpart.
    [[nodiscard]] static IpAddress pod_ip(bool v6, unsigned node, unsigned n);
    /// A pod, a node or a host outside.
    [[nodiscard]] IpAddress endpoint_ip(bool v6);

    /// An object of any kind that concerns Services.
    [[nodiscard]] Object object();
    [[nodiscard]] Object service();
    [[nodiscard]] Object slice();
    [[nodiscard]] Object endpoints_object();
    [[nodiscard]] Object pod();
    [[nodiscard]] Object node();
    /// This node's Node object (0 or 1) as an API server would have it, in this zone.
    [[nodiscard]] static Object node(unsigned number, const std::string& zone);

  private:
    [[nodiscard]] std::vector<EndpointPort> ports();
    [[nodiscard]] std::vector<SliceEndpoint> endpoints(bool v6);
    [[nodiscard]] Protocol protocol();
    void reach_from_outside(Service& service);

    std::mt19937_64 random_;
};

}  // namespace podlane::control::test
