// What ADD answers, in the form of the version that the runtime speaks.
//
// plugin.cc builds one out of the addresses, the port that podlaned has made, and what the plugins
// before this one in a chain have answered. CNI specification 1.1.0, section 5; 0.4.0 and older
// have a family in each address and no MTU.
#pragma once

#include <string>
#include <vector>

#include "control/cni/request.h"

namespace podlane::cni {

/// An address as an IPAM plugin, or the built-in allocator, gives it.
struct GivenAddress {
    InterfaceAddress address;
    std::optional<IpAddress> gateway;

    friend bool operator==(const GivenAddress&, const GivenAddress&) = default;
};

/// The answer of an IPAM plugin: addresses and possibly DNS. Throws Failure if it cannot be used:
/// no address, two of one family, a route through another gateway than the pod's.
struct GivenAddresses {
    std::vector<GivenAddress> ips;
    Json dns = Json::object();
};
[[nodiscard]] GivenAddresses read_ipam_answer(const Json& answer);

/// `port`: podlaned's, as pod.add answers (docs/rpc.md).
[[nodiscard]] Json make_result(const Request& request, const GivenAddresses& given,
                               const Json& port);

/// An interface in the container, as a result lists it, with its addresses as
/// "ADDRESS/LENGTH".
struct ListedInterface {
    std::string mac;
    std::string sandbox;
    std::vector<std::string> addresses;
};
/// The interface of this name that has a sandbox; none if the result has no such interface.
[[nodiscard]] std::optional<ListedInterface> find_interface(const Json& result,
                                                            const std::string& ifname);

}  // namespace podlane::cni
