#include "lib/dns/zone.h"

#include <algorithm>
#include <utility>

namespace podlane {

namespace {

std::string key_of(const IpAddress& address) {
    return std::string(address.is_v4() ? dns_address_key(address.as<V4>())
                                       : dns_address_key(address.as<V6>()));
}

}  // namespace

const DnsHost* DnsService::find_host(std::string_view label) const noexcept {
    const auto at =
        std::lower_bound(hosts.begin(), hosts.end(), label,
                         [](const DnsHost& host, std::string_view x) { return host.label < x; });
    return at != hosts.end() && at->label == label ? &*at : nullptr;
}

void DnsZone::set_service(const std::string& service_label, const std::string& namespace_label,
                          std::shared_ptr<const DnsService> service) {
    const std::string key = service_label + namespace_label;
    const bool was_there = services_.find(key) != nullptr;
    const bool is_there = service != nullptr;
    services_.set(key, std::move(service));
    if (was_there == is_there) return;
    const DnsNamespace* before = namespaces_.find(namespace_label);
    DnsNamespace now = before != nullptr ? *before : DnsNamespace{};
    now.services += is_there ? 1 : size_t{0} - 1;
    namespaces_.set(namespace_label,
                    now.services > 0 ? std::make_shared<const DnsNamespace>(now) : nullptr);
}

void DnsZone::add_pointer(const IpAddress& address, const std::string& name) {
    const std::string key = key_of(address);
    const DnsPointers* before = pointers_.find(key);
    DnsPointers now = before != nullptr ? *before : DnsPointers{};
    const auto at = std::lower_bound(now.names.begin(), now.names.end(), name);
    if (at != now.names.end() && *at == name) return;
    now.names.insert(at, name);
    pointers_.set(key, std::make_shared<const DnsPointers>(std::move(now)));
}

void DnsZone::remove_pointer(const IpAddress& address, const std::string& name) {
    const std::string key = key_of(address);
    const DnsPointers* before = pointers_.find(key);
    if (before == nullptr) return;
    DnsPointers now = *before;
    std::erase(now.names, name);
    pointers_.set(
        key, now.names.empty() ? nullptr : std::make_shared<const DnsPointers>(std::move(now)));
}

}  // namespace podlane
