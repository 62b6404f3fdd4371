// EndpointSlice (discovery.k8s.io/v1) and Endpoints (v1).
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/document/names.h"
#include "control/kube/read.h"

namespace podlane::control {

namespace {

constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";
constexpr size_t kMaxEndpoints = 1000;  // per slice, as in the API server
constexpr size_t kMaxAddresses = 100;   // per endpoint

constexpr auto kAddressTypes = std::to_array<Word<AddressType>>(
    {{"IPv4", AddressType::kIpv4}, {"IPv6", AddressType::kIpv6}, {"FQDN", AddressType::kFqdn}});

/// A slice's port number. The API server does not check it; kube-proxy ignores a missing one and 0.
std::optional<uint16_t> read_slice_port(Fields& fields, Problems& problems) {
    const Value* value = fields.get("port");
    if (value == nullptr || (value->is(ValueType::kInteger) && value->text() == "0")) {
        return std::nullopt;
    }
    constexpr IntegerRange kAny{INT32_MIN, INT32_MAX, "a port"};
    const auto number = as_integer(*value, kAny, problems);
    if (!number) return std::nullopt;
    if (*number >= 1 && *number <= 65535) return static_cast<uint16_t>(*number);
    problems.warn(*value,
                  fmt::format("{} is not a port (1-65535); it is passed over", shown(*value)));
    return std::nullopt;
}

/// `is_slice`: false for a subset of an Endpoints, whose ports need numbers, and whose port names
/// the API server does not require to be unique.
std::vector<EndpointPort> read_endpoint_ports(std::span<const Value> items, bool is_slice,
                                              Problems& problems) {
    std::vector<EndpointPort> ports;
    ports.reserve(items.size());
    std::set<std::string> names;
    for (const Value& item : items) {
        Fields fields(&item, problems, Keys::kLax);
        EndpointPort port;
        port.name =
            read_name(fields, "name", is_dns_label, "a DNS label (at most 63 of a-z 0-9 -)");
        if (is_slice) {
            port.port = read_slice_port(fields, problems);
        } else if (fields.require("port", "a port (1-65535)") != nullptr) {
            port.port = fields.integer<uint16_t>("port", kPortNumbers, 0);
        }
        port.protocol = fields.word("protocol", kProtocolWords, Protocol::kTcp);
        port.app_protocol = fields.string("appProtocol");
        if (is_slice && !names.insert(port.name).second) {
            problems.add(item, port.name.empty()
                                   ? std::string("a second port without a name")
                                   : fmt::format("the name {} is given twice", port.name));
        }
        ports.push_back(std::move(port));
    }
    return ports;
}

std::string read_target_pod(Fields& fields) {
    Fields target = fields.fields("targetRef");
    return target && target.string("kind") == "Pod" ? target.string("name") : std::string();
}

std::vector<std::string> read_hints(Fields& hints, std::string_view key, Problems& problems) {
    std::vector<std::string> names;
    for (const Value& item : hints.list(key)) {
        names.push_back(Fields(&item, problems, Keys::kLax).string("name"));
    }
    return names;
}

/// The first of `addresses`, which is the one that kube-proxy uses; all are checked. None if it
/// must not be used.
std::optional<IpAddress> read_addresses(Fields& fields, AddressType type, Problems& problems) {
    const Value* list = fields.require("addresses", "at least one address");
    if (list == nullptr) return std::nullopt;
    const auto items = as_list(*list, problems);
    if (items.empty() && list->is(ValueType::kSequence)) {
        problems.add(*list, "at least one address is needed");
    } else if (items.size() > kMaxAddresses) {
        problems.add(*list, fmt::format("{} addresses are too many (at most {})", items.size(),
                                        kMaxAddresses));
    }
    std::optional<IpAddress> first;
    for (const Value& item : items) {
        const auto ip = read_usable_ip(item, problems);
        if (!ip && &item == &items.front()) return std::nullopt;
        if (!ip) continue;
        if (ip->is_v4() != (type == AddressType::kIpv4)) {
            problems.add(item, fmt::format("{} is not of the slice's addressType, {}", shown(item),
                                           type == AddressType::kIpv4 ? "IPv4" : "IPv6"));
        }
        if (!first) first = ip;
    }
    return first;
}

std::optional<SliceEndpoint> read_endpoint(const Value& item, AddressType type,
                                           Problems& problems) {
    Fields fields(&item, problems, Keys::kLax);
    SliceEndpoint endpoint;
    const auto ip = read_addresses(fields, type, problems);
    if (!ip) return std::nullopt;
    endpoint.address = *ip;
    if (Fields conditions = fields.fields("conditions")) {
        endpoint.ready = conditions.boolean("ready", true);
        endpoint.serving = conditions.boolean("serving", true);
        endpoint.terminating = conditions.boolean("terminating", false);
    }
    endpoint.node_name = read_name(fields, "nodeName", is_dns_subdomain, "a node's name");
    endpoint.zone = fields.string("zone");
    endpoint.hostname = read_name(fields, "hostname", is_dns_label, "a DNS label");
    endpoint.pod = read_target_pod(fields);
    if (Fields hints = fields.fields("hints")) {
        endpoint.hint_zones = read_hints(hints, "forZones", problems);
        endpoint.hint_nodes = read_hints(hints, "forNodes", problems);
    }
    return endpoint;
}

}  // namespace

ObjectPtr<EndpointSlice> read_object(std::type_identity<EndpointSlice>, const Value& root,
                                     Meta meta, Problems& problems) {
    auto slice = std::make_shared<EndpointSlice>();
    slice->meta = std::move(meta);
    slice->service = slice->meta.label(kServiceNameLabel);
    Fields fields(&root, problems, Keys::kLax);
    fields.require("addressType", "IPv4, IPv6 or FQDN");
    slice->address_type = fields.word("addressType", kAddressTypes, AddressType::kIpv4);
    slice->ports = read_endpoint_ports(fields.list("ports"), true, problems);
    const auto items = fields.list("endpoints");
    if (items.size() > kMaxEndpoints) {
        problems.add(*fields.get("endpoints"), fmt::format("{} endpoints are too many (at most {})",
                                                           items.size(), kMaxEndpoints));
    }
    if (slice->address_type == AddressType::kFqdn) return slice;
    slice->endpoints.reserve(items.size());
    for (const Value& item : items) {
        if (auto endpoint = read_endpoint(item, slice->address_type, problems)) {
            slice->endpoints.push_back(std::move(*endpoint));
        }
    }
    return slice;
}

ObjectPtr<Endpoints> read_object(std::type_identity<Endpoints>, const Value& root, Meta meta,
                                 Problems& problems) {
    auto endpoints = std::make_shared<Endpoints>();
    endpoints->meta = std::move(meta);
    Fields fields(&root, problems, Keys::kLax);
    for (const Value& item : fields.list("subsets")) {
        Fields subset_fields(&item, problems, Keys::kLax);
        EndpointSubset subset;
        for (const bool is_ready : {true, false}) {
            for (const Value& address :
                 subset_fields.list(is_ready ? "addresses" : "notReadyAddresses")) {
                Fields address_fields(&address, problems, Keys::kLax);
                SliceEndpoint endpoint;
                // As in the EndpointSlice that Kubernetes mirrors from it: only `ready` is set.
                endpoint.ready = is_ready;
                const Value* text = address_fields.require("ip", "an IP address");
                const auto ip = text == nullptr ? std::nullopt : read_usable_ip(*text, problems);
                if (!ip) continue;
                endpoint.address = *ip;
                endpoint.node_name =
                    read_name(address_fields, "nodeName", is_dns_subdomain, "a node's name");
                endpoint.hostname =
                    read_name(address_fields, "hostname", is_dns_label, "a DNS label");
                endpoint.pod = read_target_pod(address_fields);
                subset.endpoints.push_back(std::move(endpoint));
            }
        }
        subset.ports = read_endpoint_ports(subset_fields.list("ports"), false, problems);
        endpoints->subsets.push_back(std::move(subset));
    }
    return endpoints;
}

}  // namespace podlane::control
