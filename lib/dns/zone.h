// The cluster's names, as an immutable value, by the Kubernetes DNS specification 1.1.0.
//
// Control builds one for each generation that changes a name (control/compile/names.h) and puts it
// into the Snapshot; workers and the DNS server answer from it (answer.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/family.h"
#include "lib/base/ip_address.h"
#include "lib/dns/table.h"

namespace podlane {

/// The addresses of one name.
struct DnsAddresses {
    std::vector<Ipv4Address> v4;
    std::vector<Ipv6Address> v6;

    friend bool operator==(const DnsAddresses&, const DnsAddresses&) = default;
    [[nodiscard]] bool empty() const noexcept { return v4.empty() && v6.empty(); }
};

/// An endpoint of a headless Service: HOST.SERVICE.NAMESPACE.svc.DOMAIN.
struct DnsHost {
    std::string label;  ///< text, lower case
    DnsAddresses addresses;

    friend bool operator==(const DnsHost&, const DnsHost&) = default;
};

/// A named port: _PORT._PROTOCOL.SERVICE.NAMESPACE.svc.DOMAIN.
struct DnsServicePort {
    static constexpr uint32_t kService = ~uint32_t{0};

    std::string name;          ///< text, lower case, without the underscore
    uint8_t protocol = 0;      ///< IANA number: 6, 17 or 132
    uint16_t port = 0;         ///< host order
    uint32_t host = kService;  ///< its target: index into DnsService::hosts, or the Service

    friend auto operator<=>(const DnsServicePort&, const DnsServicePort&) = default;
};

/// All names of one Service: SERVICE.NAMESPACE.svc.DOMAIN and those below it.
struct DnsService {
    DnsAddresses addresses;             ///< ClusterIPs; headless: of all ready endpoints; sorted
    std::vector<DnsHost> hosts;         ///< headless only; by label
    std::vector<DnsServicePort> ports;  ///< sorted
    std::string alias;  ///< ExternalName: the name in wire form; all else is empty then

    friend bool operator==(const DnsService&, const DnsService&) = default;
    /// The endpoint of this name, or nullptr.
    [[nodiscard]] const DnsHost* find_host(std::string_view label) const noexcept;
};

/// The names of an address.
struct DnsPointers {
    std::vector<std::string> names;  ///< in wire form; sorted
};

/// A namespace with names in it.
struct DnsNamespace {
    size_t services = 0;
};

/// The part that does not change while the process lives.
struct DnsZoneIdentity {
    std::string domain;             ///< "cluster.local" in wire form, lower case
    DnsAddresses servers;           ///< the cluster DNS addresses, at most one a family
    std::vector<IpPrefix> reverse;  ///< the cluster's addresses: pods and Services
};

/// Threads: as for CowArray; a `const DnsZone` is immutable.
class DnsZone {
  public:
    explicit DnsZone(DnsZoneIdentity identity)
        : identity_(std::make_shared<const DnsZoneIdentity>(std::move(identity))) {}

    [[nodiscard]] const DnsZoneIdentity& identity() const noexcept { return *identity_; }
    /// The SOA record's serial number; rises with each change.
    [[nodiscard]] uint32_t serial() const noexcept { return serial_; }
    /// Whether the cluster's DNS server answers at this address.
    template <Family F>
    [[nodiscard]] bool is_server(const typename F::Address& address) const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return is_one_of(identity_->servers.v4, address);
        } else {
            return is_one_of(identity_->servers.v6, address);
        }
    }

    /// `key`: the labels SERVICE and NAMESPACE in wire form, without a root.
    [[nodiscard]] const DnsService* find_service(std::string_view key) const noexcept {
        return services_.find(key);
    }
    /// `key`: the label NAMESPACE in wire form.
    [[nodiscard]] bool has_namespace(std::string_view key) const noexcept {
        return namespaces_.find(key) != nullptr;
    }
    /// `address`: 4 or 16 bytes in wire order.
    [[nodiscard]] const DnsPointers* find_pointers(std::string_view address) const noexcept {
        return pointers_.find(address);
    }
    [[nodiscard]] size_t service_count() const noexcept { return services_.size(); }

    // Builder only. Keys as above; a null Service removes it.
    void set_service(const std::string& service_label, const std::string& namespace_label,
                     std::shared_ptr<const DnsService> service);
    void add_pointer(const IpAddress& address, const std::string& name);
    void remove_pointer(const IpAddress& address, const std::string& name);
    void raise_serial() noexcept { ++serial_; }

  private:
    template <class Address>
    [[nodiscard]] static bool is_one_of(const std::vector<Address>& list,
                                        const Address& address) noexcept {
        for (const Address& one : list) {
            if (one == address) return true;
        }
        return false;
    }

    std::shared_ptr<const DnsZoneIdentity> identity_;
    DnsTable<DnsService> services_;
    DnsTable<DnsNamespace> namespaces_;
    DnsTable<DnsPointers> pointers_;
    uint32_t serial_ = 1;
};

/// An address in the form of the keys of DnsZone's pointers.
template <class Address>
[[nodiscard]] std::string_view dns_address_key(const Address& address) noexcept {
    return {reinterpret_cast<const char*>(&address), sizeof(address)};
}

}  // namespace podlane
