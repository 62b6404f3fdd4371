#include "tests/support/dns_model.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace podlane::test {

namespace {

using control::EndpointPort;
using control::ObjectStore;
using control::Pod;
using control::Service;
using control::SliceEndpoint;

std::string lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return text;
}

std::vector<std::string> split(const std::string& name) {
    std::vector<std::string> out;
    std::istringstream in(name);
    for (std::string label; std::getline(in, label, '.');) out.push_back(label);
    return out;
}

bool ends_below(const std::string& name, const std::string& zone) {
    return name == zone || name.ends_with("." + zone);
}

std::string dashed(std::string address) {
    for (char& c : address) c = c == '.' || c == ':' ? '-' : c;
    return address;
}

const char* type_of(const std::string& address) {
    return address.find(':') == std::string::npos ? "A" : "AAAA";
}

std::string protocol_label(control::Protocol protocol) {
    return "_" + lower(std::string(control::protocol_name(protocol)));
}

}  // namespace

std::string reverse_name(const std::string& address) {
    if (address.find(':') == std::string::npos) {
        const auto parts = split(address);
        return fmt::format("{}.{}.{}.{}.in-addr.arpa", parts[3], parts[2], parts[1], parts[0]);
    }
    std::array<uint8_t, 16> bytes{};
    inet_pton(AF_INET6, address.c_str(), bytes.data());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name;
    for (size_t i = bytes.size(); i-- > 0;) {
        for (const int digit : {bytes[i] & 15, bytes[i] >> 4}) {
            name += kDigits[static_cast<size_t>(digit)];
            name += '.';
        }
    }
    return name + "ip6.arpa";
}

DnsModel::DnsModel(std::string domain, std::vector<std::string> servers,
                   std::vector<std::string> reverse_zones)
    : domain_(std::move(domain)), reverse_zones_(std::move(reverse_zones)) {
    nodes_.insert(domain_);
    nodes_.insert("svc." + domain_);
    add_record("dns-version." + domain_, "TXT", "\"1.1.0\"");
    for (const std::string& server : servers) {
        add_record("ns.dns." + domain_, type_of(server), server);
        add_pointer(server, "ns.dns." + domain_);
    }
}

void DnsModel::add_record(const std::string& name, const std::string& type,
                          const std::string& data) {
    records_[name].insert({type, data});
    if (!ends_below(name, domain_)) return;
    for (std::string above = name; above != domain_;) {
        above = above.substr(above.find('.') + 1);
        nodes_.insert(above);
    }
}

void DnsModel::add_pointer(const std::string& address, const std::string& name) {
    add_record(reverse_name(address), "PTR", name + ".");
}

void DnsModel::add_all(const ObjectStore& store) {
    for (const auto& [name, service] : store.all<Service>()) add_service(*service, store);
}

void DnsModel::add_endpoint(const Service& service, const SliceEndpoint& endpoint,
                            const std::vector<EndpointPort>& ports) {
    if (!endpoint.ready && !service.publish_not_ready) return;
    const std::string full = service.meta.name + "." + service.meta.name_space + ".svc." + domain_;
    const std::string address = to_string(endpoint.address);
    const std::string host =
        (endpoint.hostname.empty() ? dashed(address) : endpoint.hostname) + "." + full;
    add_record(full, type_of(address), address);
    add_record(host, type_of(address), address);
    add_pointer(address, host);
    for (const EndpointPort& port : ports) {
        if (port.name.empty() || !port.port) continue;
        add_record("_" + port.name + "." + protocol_label(port.protocol) + "." + full, "SRV",
                   fmt::format("0 100 {} {}.", *port.port, host));
    }
}

void DnsModel::add_service(const Service& service, const ObjectStore& store) {
    const auto name = service.meta.namespaced_name();
    const std::string full = name.name + "." + name.name_space + ".svc." + domain_;
    if (service.type == control::ServiceType::kExternalName) {
        add_record(full, "CNAME", service.external_name + ".");
        return;
    }
    if (!service.headless) {
        for (const IpAddress& address : service.cluster_ips) {
            add_record(full, type_of(to_string(address)), to_string(address));
            add_pointer(to_string(address), full);
        }
        for (const auto& port : service.ports) {
            if (service.cluster_ips.empty() || port.name.empty()) continue;
            add_record("_" + port.name + "." + protocol_label(port.protocol) + "." + full, "SRV",
                       fmt::format("0 100 {} {}.", port.port, full));
        }
        return;
    }
    bool has_slices = false;
    for (const auto& [key, slice] : store.all<control::EndpointSlice>()) {
        if (key.name_space != name.name_space || slice->service != name.name) continue;
        has_slices = true;
        for (const SliceEndpoint& one : slice->endpoints) add_endpoint(service, one, slice->ports);
    }
    if (has_slices) return;
    if (const auto object = store.find<control::Endpoints>(name)) {
        for (const auto& subset : object->subsets) {
            for (const SliceEndpoint& one : subset.endpoints)
                add_endpoint(service, one, subset.ports);
        }
        return;
    }
    if (!service.selector || service.selector->empty()) return;
    for (const auto& [key, pod] : store.all<Pod>()) {
        if (key.name_space != name.name_space || pod->is_finished()) continue;
        if (!control::contains_labels(pod->meta.labels, *service.selector)) continue;
        std::vector<EndpointPort> ports;
        for (const auto& port : service.ports) {
            const uint16_t number = pod->resolve_port(port.target_port, port.protocol);
            if (number != 0) ports.push_back({port.name, number, port.protocol, ""});
        }
        for (const IpAddress& address : pod->ips) {
            if (address.is_v6()) continue;  // of single-stack Services, which is all that we make
            SliceEndpoint one;
            one.address = address;
            one.ready = pod->ready && !pod->terminating;
            if (pod->subdomain == name.name) one.hostname = pod->hostname;
            add_endpoint(service, one, ports);
        }
    }
}

bool DnsModel::is_ours(const std::string& name) const {
    return ends_below(name, domain_) || records_.contains(name) ||
           std::any_of(reverse_zones_.begin(), reverse_zones_.end(),
                       [&](const std::string& zone) { return ends_below(name, zone); });
}

bool DnsModel::pod_name(const std::string& name, std::string& type, std::string& data) const {
    const auto labels = split(name);
    const auto domain_labels = split(domain_).size();
    if (labels.size() != domain_labels + 3 || labels[2] != "pod") return false;
    std::string v4 = labels[0], v6 = labels[0];
    std::replace(v4.begin(), v4.end(), '-', '.');
    std::replace(v6.begin(), v6.end(), '-', ':');
    std::array<uint8_t, 16> bytes{};
    if (inet_pton(AF_INET, v4.c_str(), bytes.data()) == 1) {
        type = "A";
        data = v4;
        return true;
    }
    if (inet_pton(AF_INET6, v6.c_str(), bytes.data()) != 1) return false;
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    type = "AAAA";
    data = text.data();
    return true;
}

DnsModel::Expected DnsModel::ask(const std::string& asked, const std::string& type) const {
    Expected out;
    std::string name = asked;
    for (int aliases = 0; aliases < 8; ++aliases) {
        if (!is_ours(name)) {
            out.kind = Kind::kElsewhere;
            return out;
        }
        std::string pod_type, pod_data;
        const auto at = records_.find(name);
        bool has_alias = false;
        if (at != records_.end()) {
            for (const auto& [kind, data] : at->second) {
                if (kind == type || kind == "CNAME") {
                    out.answers.insert(name + " " + kind + " " + data);
                }
                if (kind == "CNAME" && type != "CNAME") {
                    has_alias = true;
                    name = data.substr(0, data.size() - 1);
                }
            }
        } else if (pod_name(name, pod_type, pod_data)) {
            if (pod_type == type) out.answers.insert(name + " " + type + " " + pod_data);
        } else {
            // Parts of addresses count as existing names, and so do all namespaces below "pod".
            const bool is_part = name.ends_with(".arpa") &&
                                 split(name).size() < (name.ends_with("ip6.arpa") ? 34u : 6u);
            const auto labels = split(name);
            const auto above = labels.size() - split(domain_).size();
            const bool is_pod_node = ends_below(name, "pod." + domain_) && above <= 2;
            if (!nodes_.contains(name) && !is_part && !is_pod_node) {
                out.kind = Kind::kNxDomain;
                return out;
            }
        }
        if (has_alias) continue;
        out.kind = out.answers.empty() ? Kind::kNoData : Kind::kAnswer;
        return out;
    }
    out.kind = Kind::kElsewhere;  // a loop: of no interest here
    return out;
}

std::vector<std::string> DnsModel::names() const {
    std::set<std::string> all = nodes_;
    for (const auto& [name, records] : records_) all.insert(name);
    return {all.begin(), all.end()};
}

std::string DnsModel::judge(const std::string& asked, const std::string& type,
                            const DnsReply& reply) const {
    const std::string question = asked + " " + type;
    if (!reply.readable) return question + ": the answer cannot be read";
    if (reply.question != std::vector{asked + ". IN " + type}) return question + ": not repeated";
    const Expected wanted = ask(lower(asked), type);
    const int rcode = wanted.kind == Kind::kNxDomain ? 3 : 0;
    if (reply.rcode != rcode) return fmt::format("{}: rcode {}", question, reply.rcode);
    std::set<std::string> got;
    for (const std::string& line : reply.answer) {
        // "NAME. TTL IN TYPE DATA"
        std::istringstream in(line);
        std::string owner, ttl, in_class, kind, data;
        in >> owner >> ttl >> in_class >> kind;
        std::getline(in >> std::ws, data);
        if (ttl != "5" || in_class != "IN") return question + ": " + line;
        owner.pop_back();
        if (!got.insert(lower(owner) + " " + kind + " " + data).second) {
            return question + ": twice: " + line;
        }
    }
    const bool is_part =
        std::includes(wanted.answers.begin(), wanted.answers.end(), got.begin(), got.end());
    if (!is_part) return question + ": too much: " + fmt::format("{}", fmt::join(got, ", "));
    if (got.size() < wanted.answers.size() && !reply.truncated) {
        return fmt::format("{}: {} of {} records", question, got.size(), wanted.answers.size());
    }
    const bool needs_authority = got.empty() || rcode == 3;
    if (needs_authority && reply.authority.size() != 1) return question + ": no SOA";
    return {};
}

}  // namespace podlane::test
