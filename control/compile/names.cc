#include "control/compile/names.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/dns/name.h"

namespace podlane::control {

namespace {

using Pointers = std::vector<std::pair<IpAddress, std::string>>;

template <class Visit>
void for_each_change(const ChangeSet& changes, Visit visit) {
    for (const auto* list : {&changes.added, &changes.changed, &changes.removed}) {
        for (const Change& change : *list) {
            if (change.before) visit(*change.before);
            if (change.after) visit(*change.after);
        }
    }
}

/// A label from an object's name. Objects' names have been checked to fit.
std::string label_of(const std::string& text) {
    return dns_label_from_text(text).value_or(std::string());
}

/// The names of a Service's addresses: sections 2.3.3 and 2.4.3 of the specification.
Pointers pointers_of(const DnsService* service, const std::string& name) {
    Pointers out;
    if (service == nullptr) return out;
    const auto add = [&](const DnsAddresses& addresses, const std::string& called) {
        for (const auto& address : addresses.v4) out.emplace_back(address, called);
        for (const auto& address : addresses.v6) out.emplace_back(address, called);
    };
    for (const DnsHost& host : service->hosts) add(host.addresses, label_of(host.label) + name);
    if (service->hosts.empty()) add(service->addresses, name);
    std::sort(out.begin(), out.end());
    return out;
}

DnsZoneIdentity identity_of(const NodeConfig& config, const std::string& domain) {
    DnsZoneIdentity identity;
    identity.domain = domain;
    for (const IpAddress& address : config.cluster.dns) {
        if (address.is_v4()) {
            identity.servers.v4.push_back(address.as<V4>());
        } else {
            identity.servers.v6.push_back(address.as<V6>());
        }
    }
    for (const auto* cidrs : {&config.cluster.service_cidrs, &config.cluster.pod_cidrs}) {
        identity.reverse.insert(identity.reverse.end(), cidrs->begin(), cidrs->end());
    }
    return identity;
}

}  // namespace

NameCompiler::NameCompiler(const NodeConfig& config) {
    if (config.cluster.dns.empty()) return;
    domain_ = dns_name_from_text(config.cluster.domain).value_or(std::string(1, '\0'));
    auto zone = std::make_shared<DnsZone>(identity_of(config, domain_));
    for (const IpAddress& address : config.cluster.dns) {
        zone->add_pointer(address, "\2ns\3dns" + domain_);
    }
    zone_ = std::move(zone);
}

std::set<NamespacedName> NameCompiler::affected(const ChangeSet& changes,
                                                const ObjectStore& store) const {
    std::set<NamespacedName> out;
    if (!zone_) return out;
    // Other Services' names do not depend on their endpoints.
    const auto add_headless = [&](NamespacedName name) {
        const auto service = store.find<Service>(name);
        if (service && service->headless) out.insert(std::move(name));
    };
    for_each_change(changes, [&](const Object& object) {
        if (const auto* service = std::get_if<ObjectPtr<Service>>(&object)) {
            out.insert((*service)->meta.namespaced_name());
        } else if (const auto* slice = std::get_if<ObjectPtr<EndpointSlice>>(&object)) {
            add_headless({(*slice)->meta.name_space, (*slice)->service});
        } else if (const auto* endpoints = std::get_if<ObjectPtr<Endpoints>>(&object)) {
            add_headless((*endpoints)->meta.namespaced_name());
        } else if (const auto* pod = std::get_if<ObjectPtr<Pod>>(&object)) {
            const Meta& meta = (*pod)->meta;
            const auto at = from_pods_.find(meta.name_space);
            if (at == from_pods_.end()) return;
            for (const std::string& name : at->second) {
                const Record& record = records_.at({meta.name_space, name});
                if (contains_labels(meta.labels, *record.selector)) {
                    out.insert({meta.name_space, name});
                }
            }
        }
    });
    return out;
}

void NameCompiler::update(const std::set<NamespacedName>& services, const ObjectStore& store,
                          AddressFamily default_family) {
    std::shared_ptr<DnsZone> next;
    for (const NamespacedName& name : services) {
        Record record;
        if (const auto object = store.find<Service>(name)) {
            record.service = dns_service_of(*object, store, default_family, record.selector);
        }
        const auto at = records_.find(name);
        const std::shared_ptr<const DnsService> before =
            at != records_.end() ? at->second.service : nullptr;
        const bool is_same =
            before && record.service ? *before == *record.service : before == record.service;
        if (is_same) {
            record.service = before;
        } else {
            if (!next) next = std::make_shared<DnsZone>(*zone_);
            replace(name, before, record.service, *next);
        }
        auto& selecting = from_pods_[name.name_space];
        if (record.selector) {
            selecting.insert(name.name);
        } else {
            selecting.erase(name.name);
        }
        if (selecting.empty()) from_pods_.erase(name.name_space);
        if (record.service || record.selector) {
            records_[name] = std::move(record);
        } else if (at != records_.end()) {
            records_.erase(at);
        }
    }
    if (!next) return;
    next->raise_serial();
    zone_ = std::move(next);
}

void NameCompiler::replace(const NamespacedName& name,
                           const std::shared_ptr<const DnsService>& before,
                           const std::shared_ptr<const DnsService>& now, DnsZone& zone) const {
    const std::string service_label = label_of(name.name);
    const std::string namespace_label = label_of(name.name_space);
    const std::string full = service_label + namespace_label + "\3svc" + domain_;
    const Pointers old_pointers = pointers_of(before.get(), full);
    const Pointers new_pointers = pointers_of(now.get(), full);
    Pointers gone, come;
    std::set_difference(old_pointers.begin(), old_pointers.end(), new_pointers.begin(),
                        new_pointers.end(), std::back_inserter(gone));
    std::set_difference(new_pointers.begin(), new_pointers.end(), old_pointers.begin(),
                        old_pointers.end(), std::back_inserter(come));
    for (const auto& [address, called] : gone) zone.remove_pointer(address, called);
    for (const auto& [address, called] : come) zone.add_pointer(address, called);
    zone.set_service(service_label, namespace_label, now);
}

}  // namespace podlane::control
