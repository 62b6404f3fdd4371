// The names of one Service, from its object and its endpoints.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "control/compile/frontends.h"
#include "control/compile/names.h"
#include "lib/dns/name.h"

namespace podlane::control {

namespace {

void add_address(const IpAddress& address, DnsAddresses& to) {
    if (address.is_v4()) {
        to.v4.push_back(address.as<V4>());
    } else {
        to.v6.push_back(address.as<V6>());
    }
}

template <class T>
void sort_unique(std::vector<T>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

void sort_unique(DnsAddresses& addresses) {
    sort_unique(addresses.v4);
    sort_unique(addresses.v6);
}

/// An endpoint without a hostname is named by its address, as with CoreDNS.
std::string host_label(const std::string& hostname, const IpAddress& address) {
    std::string label = hostname.empty() ? to_string(address) : hostname;
    for (char& c : label) {
        c = c == '.' || c == ':' ? '-' : static_cast<char>(dns_lower(static_cast<uint8_t>(c)));
    }
    return label;
}

/// Collects the ready endpoints of a headless Service by name.
class Hosts {
  public:
    explicit Hosts(const Service& service) : service_(service) {}

    void add(const SliceEndpoint& endpoint, const std::vector<EndpointPort>& ports) {
        if (!endpoint.ready && !service_.publish_not_ready) return;
        Host& host = hosts_[host_label(endpoint.hostname, endpoint.address)];
        add_address(endpoint.address, host.addresses);
        for (const EndpointPort& port : ports) {
            if (port.name.empty()) continue;
            const uint16_t number = port.port.value_or(service_port(port));
            if (number == 0) continue;
            host.ports.push_back(
                {host_label(port.name, {}), static_cast<uint8_t>(port.protocol), number});
        }
    }

    [[nodiscard]] std::shared_ptr<const DnsService> take() {
        if (hosts_.empty()) return nullptr;  // section 2.4.1: such a Service has no name
        auto made = std::make_shared<DnsService>();
        for (auto& [label, host] : hosts_) {
            sort_unique(host.addresses);
            const auto index = static_cast<uint32_t>(made->hosts.size());
            for (DnsServicePort& port : host.ports) {
                port.host = index;
                made->ports.push_back(std::move(port));
            }
            auto& all = made->addresses;
            all.v4.insert(all.v4.end(), host.addresses.v4.begin(), host.addresses.v4.end());
            all.v6.insert(all.v6.end(), host.addresses.v6.begin(), host.addresses.v6.end());
            made->hosts.push_back({label, std::move(host.addresses)});
        }
        sort_unique(made->addresses);
        sort_unique(made->ports);
        return made;
    }

  private:
    struct Host {
        DnsAddresses addresses;
        std::vector<DnsServicePort> ports;
    };

    /// The Service's port number, for an endpoint port without a number, which means that any will
    /// do.
    [[nodiscard]] uint16_t service_port(const EndpointPort& port) const {
        for (const ServicePort& own : service_.ports) {
            if (own.name == port.name && own.protocol == port.protocol) return own.port;
        }
        return 0;
    }

    const Service& service_;
    std::map<std::string, Host> hosts_;
};

/// As in the EndpointSlice controller: a hostname counts only under the Service that the pod's
/// subdomain names.
void add_pod(const Pod& pod, const Service& service, AddressFamily default_family, Hosts& hosts) {
    SliceEndpoint endpoint;
    endpoint.ready = pod.ready && !pod.terminating;
    if (pod.subdomain == service.meta.name) endpoint.hostname = pod.hostname;
    std::vector<EndpointPort> ports;
    for (const ServicePort& own : service.ports) {
        const uint16_t number = pod.resolve_port(own.target_port, own.protocol);
        if (number != 0) ports.push_back({own.name, number, own.protocol, {}});
    }
    for (const IpAddress& address : pod.ips) {
        const auto family = address.is_v4() ? AddressFamily::kIpv4 : AddressFamily::kIpv6;
        if (!has_family(service, family, default_family)) continue;
        endpoint.address = address;
        hosts.add(endpoint, ports);
    }
}

std::shared_ptr<const DnsService> headless(const Service& service, const ObjectStore& store,
                                           AddressFamily default_family,
                                           std::optional<Labels>& selector) {
    const NamespacedName name = service.meta.namespaced_name();
    Hosts hosts(service);
    const auto& slices = store.slices_of(name);
    if (!slices.empty()) {
        for (const auto& slice : slices) {
            for (const SliceEndpoint& endpoint : slice->endpoints)
                hosts.add(endpoint, slice->ports);
        }
        return hosts.take();
    }
    if (const auto endpoints = store.find<Endpoints>(name)) {
        for (const EndpointSubset& subset : endpoints->subsets) {
            for (const SliceEndpoint& endpoint : subset.endpoints)
                hosts.add(endpoint, subset.ports);
        }
        return hosts.take();
    }
    if (!service.has_selector()) return nullptr;
    selector = service.selector;
    for (const auto& pod : store.pods_in(name.name_space)) {
        if (pod->is_finished() || !contains_labels(pod->meta.labels, *selector)) continue;
        add_pod(*pod, service, default_family, hosts);
    }
    return hosts.take();
}

}  // namespace

std::shared_ptr<const DnsService> dns_service_of(const Service& service, const ObjectStore& store,
                                                 AddressFamily default_family,
                                                 std::optional<Labels>& selector) {
    if (service.type == ServiceType::kExternalName) {
        const auto target = dns_name_from_text(service.external_name);
        if (!target || target->size() == 1) return nullptr;
        auto made = std::make_shared<DnsService>();
        made->alias = *target;
        return made;
    }
    if (service.headless) return headless(service, store, default_family, selector);
    if (service.cluster_ips.empty()) return nullptr;
    auto made = std::make_shared<DnsService>();
    for (const IpAddress& address : service.cluster_ips) add_address(address, made->addresses);
    sort_unique(made->addresses);
    for (const ServicePort& port : service.ports) {
        if (port.name.empty()) continue;
        made->ports.push_back(
            {host_label(port.name, {}), static_cast<uint8_t>(port.protocol), port.port});
    }
    sort_unique(made->ports);
    return made;
}

}  // namespace podlane::control
