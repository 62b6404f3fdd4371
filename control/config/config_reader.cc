#include "control/config/config_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "control/config/flow_log_config.h"
#include "control/config/metrics_config.h"
#include "control/config/security_config.h"
#include "control/config/state_config.h"
#include "control/config/subnet_file.h"
#include "control/document/names.h"

namespace podlane::control {

namespace {

constexpr size_t kMaxSocketPath = 107;  // sockaddr_un's room, without its NUL
constexpr IntegerRange kWorkerCounts{1, 64, "a number of workers"};
constexpr IntegerRange kMtus{68, 65535, "an MTU"};
constexpr int64_t kMinIpv6Mtu = 1280;  // RFC 8200 section 5

constexpr auto kShortcutModes = std::to_array<Word<bool>>({{"auto", true}, {"off", false}});
constexpr auto kIdleModes =
    std::to_array<Word<IdleMode>>({{"poll", IdleMode::kPoll}, {"adaptive", IdleMode::kAdaptive}});
constexpr auto kHugepagesModes = std::to_array<Word<HugepagesMode>>(
    {{"auto", HugepagesMode::kAuto}, {"on", HugepagesMode::kOn}, {"off", HugepagesMode::kOff}});
constexpr auto kOverlayTypes = [] {
    std::array<Word<std::optional<OverlayFormat>>, kOverlayFormats.size() + 1> words{};
    std::ranges::transform(kOverlayFormats, words.begin(), [](const OverlayFormatInfo& info) {
        return Word<std::optional<OverlayFormat>>{info.word, info.format};
    });
    words.back() = {"direct", std::nullopt};
    return words;
}();

/// Linux's dev_valid_name().
bool is_interface_name(std::string_view text) {
    return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
           std::ranges::all_of(text, [](char c) {
               return static_cast<unsigned char>(c) > ' ' && c != '/' && c != ':' && c != 0x7f;
           });
}

}  // namespace

std::string ConfigReader::beside_document(std::string_view path) const {
    return (std::filesystem::path(config_.document).parent_path() / path).string();
}

NodeConfig ConfigReader::read() {
    Fields fields(&root_, problems_, Keys::kStrict);
    config_.document = problems_.document();
    if (const Value* node = fields.require("node", "this node's name, as in Kubernetes")) {
        config_.node = as_string(*node, problems_).value_or("");
        if (node->is(ValueType::kString) && !is_dns_subdomain(config_.node)) {
            problems_.add(*node, fmt::format("{} is not a node's name (at most 253 of a-z 0-9 - .)",
                                             shown(*node)));
        }
    }
    for (auto [key, path] : {std::pair{"socket", &config_.socket},
                             std::pair{"readOnlySocket", &config_.read_only_socket}}) {
        *path = fields.string(key, *path);
        const Value* given = fields.get(key);
        if (given == nullptr || (!path->empty() && path->size() <= kMaxSocketPath)) continue;
        problems_.add(*given, fmt::format("is not a socket's path (1-{} bytes)", kMaxSocketPath));
    }
    if (config_.read_only_socket == config_.socket) {
        problems_.add(*fields.get("readOnlySocket"), "is `socket`, which takes changes");
    }
    if (const Value* workers = fields.get("workers")) read_workers(*workers);
    config_.idle = fields.word("idle", kIdleModes, config_.idle);
    read_memory(fields.fields("memory"));
    read_flows(fields.fields("flows"));
    if (const Value* host = fields.get("host")) {
        Fields host_fields(host, problems_, Keys::kStrict);
        config_.host = HostConfig{};
        config_.host->interface = host_fields.string("interface", config_.host->interface);
        if (!is_interface_name(config_.host->interface)) {
            problems_.add(
                *host_fields.get("interface"),
                fmt::format("{} is not a network interface's name (at most 15 characters, "
                            "no space, / or :)",
                            in_quotes(config_.host->interface)));
        }
        host_fields.finish();
    }
    fields.require("pods", "cidrs at least");
    read_cluster(fields.fields("cluster"));
    read_pods(fields.fields("pods"));
    read_uplinks(fields.list("uplinks"));
    read_overlay(fields.fields("overlay"));
    read_load_balancer(fields.fields("loadBalancer"));
    // Not kept here: the code that uses it reads it again (load_state_config()).
    (void)read_state(fields.get("state"), config_.socket, problems_);
    (void)read_metrics(fields.get("metrics"), problems_);    // likewise
    (void)read_flow_log(fields.get("flowLog"), problems_);   // likewise
    (void)read_security(fields.get("security"), problems_);  // likewise
    const Value* pods = fields.get("pods");
    resolve_pod_mtu(pods == nullptr ? nullptr : pods->find("mtu"));
    const Value* cluster = fields.get("cluster");
    read_dns(cluster == nullptr ? nullptr : cluster->find("dns"));
    read_upstream_dns(cluster == nullptr ? nullptr : cluster->find("upstreamDns"));
    read_objects(fields.list("objects"));
    fields.finish();
    return std::move(config_);
}

void ConfigReader::read_workers(const Value& value) {
    if (!value.is(ValueType::kSequence)) {
        const auto count = as_integer(value, kWorkerCounts, problems_);
        if (count) config_.workers.count = static_cast<unsigned>(*count);
        return;
    }
    const int64_t last_cpu = sysconf(_SC_NPROCESSORS_CONF) - 1;
    for (const Value& item : value.items()) {
        const auto cpu = as_integer(item, {0, last_cpu, "a CPU of this machine"}, problems_);
        if (!cpu) continue;
        const auto id = static_cast<unsigned>(*cpu);
        if (std::ranges::find(config_.workers.cpus, id) != config_.workers.cpus.end()) {
            problems_.add(item, fmt::format("CPU {} is given twice", id));
        }
        config_.workers.cpus.push_back(id);
    }
    if (value.items().empty()) problems_.add(value, "at least one CPU is needed");
    config_.workers.count = static_cast<unsigned>(config_.workers.cpus.size());
}

void ConfigReader::read_memory(Fields memory) {
    MemoryConfig& out = config_.memory;
    const Value* hugepages = memory.get("hugepages");
    if (hugepages != nullptr && hugepages->is(ValueType::kBool)) {
        // YAML reads unquoted on and off as booleans.
        out.hugepages = hugepages->text() == "true" ? HugepagesMode::kOn : HugepagesMode::kOff;
    } else {
        out.hugepages = memory.word("hugepages", kHugepagesModes, out.hugepages);
    }
    out.mbufs =
        memory.integer<uint32_t>("mbufs", {1024, 1 << 24, "a number of packet buffers"}, out.mbufs);
    out.mbuf_bytes = memory.integer<uint32_t>(
        "mbufBytes", {1024, 65535, "a packet buffer's size in bytes"}, out.mbuf_bytes);
    memory.finish();
}

void ConfigReader::read_cluster(Fields cluster) {
    ClusterConfig& out = config_.cluster;
    if (!cluster.has("serviceCidrs")) {
        out.service_cidrs = {*parse_prefix("10.96.0.0/12")};
        claims_.push_back({out.service_cidrs.front(), "cluster.serviceCidrs"});
    }
    out.pod_cidrs = read_prefixes(cluster.get("podCidrs"), "cluster.podCidrs");
    if (const Value* services = cluster.get("serviceCidrs")) {
        out.service_cidrs = read_prefixes(services, "cluster.serviceCidrs");
    }
    if (const Value* range = cluster.get("nodePorts")) {
        const auto text = as_string(*range, problems_);
        const auto parsed = text ? parse_port_range(*text) : std::nullopt;
        if (parsed) {
            out.node_ports = *parsed;
        } else if (text) {
            problems_.add(*range, fmt::format("{} is not a range of ports such as 30000-32767 "
                                              "(within 1-65535)",
                                              shown(*range)));
        }
    }
    if (const Value* addresses = cluster.get("nodePortAddresses")) {
        read_node_port_addresses(*addresses);
    }
    if (const Value* domain = cluster.get("domain")) {
        out.domain = as_string(*domain, problems_).value_or("");
        if (domain->is(ValueType::kString) && !is_dns_subdomain(out.domain)) {
            problems_.add(*domain, fmt::format("{} is not a DNS domain", shown(*domain)));
        }
    }
    cluster.get("dns");          // read when the pods' prefixes and the uplinks are known
    cluster.get("upstreamDns");  // likewise
    cluster.finish();
}

void ConfigReader::read_node_port_addresses(const Value& value) {
    // As in kube-proxy: prefixes, or this one word.
    const auto is_primary = [](const Value& item) {
        return item.is(ValueType::kString) && item.text() == "primary";
    };
    ClusterConfig& out = config_.cluster;
    const bool is_list = value.is(ValueType::kSequence);
    out.node_ports_on_primary = is_primary(value) || (is_list && value.items().size() == 1 &&
                                                      is_primary(value.items().front()));
    if (out.node_ports_on_primary) return;
    for (const Value& item : as_list(value, problems_)) {
        if (const auto prefix = as_prefix(item, problems_)) {
            out.node_port_addresses.push_back(*prefix);
        }
    }
}

void ConfigReader::read_pods(Fields pods) {
    const Value* const place = pods.get("subnetFile");
    std::vector<IpPrefix> networks;
    if (place == nullptr) {
        const Value* cidrs =
            pods.require("cidrs", "this node's pod CIDRs, such as [10.244.1.0/24]");
        if (cidrs != nullptr && cidrs->is(ValueType::kSequence) && cidrs->items().empty()) {
            problems_.add(*cidrs, "at least one pod CIDR is needed");
        }
        for (const Value& item :
             cidrs == nullptr ? std::span<const Value>{} : as_list(*cidrs, problems_)) {
            if (const auto prefix = as_prefix(item, problems_)) {
                add_pod_cidr(item, *prefix, shown(item));
            }
        }
    } else if (pods.has("cidrs")) {
        problems_.add(*place, "is not to stand beside cidrs, which are in that file");
    } else if (const auto path = as_string(*place, problems_)) {
        const auto file = load_subnet_file(beside_document(*path));
        if (!file.ok()) problems_.add(*place, file.error().message);
        if (file.ok()) {
            for (const IpPrefix& subnet : file->subnets) {
                add_pod_cidr(*place, subnet, to_string(subnet));
            }
            networks = file->networks;
            subnet_mtu_ = file->mtu;
        }
    }
    config_.pods.gateway_mac = read_mac(pods, "gatewayMac");
    complete_cluster(place != nullptr ? place : pods.get("cidrs"), networks);
    read_pod_ports(pods.list("ports"));
    read_pod_sockets(pods.get("sockets"));
    config_.pods.shortcut = pods.word("shortcut", kShortcutModes, config_.pods.shortcut);
    pods.get("mtu");  // read when the overlay is known
    pods.finish();
}

void ConfigReader::read_pod_sockets(const Value* folder) {
    std::string& path = config_.pods.sockets;
    path = config_.socket.substr(0, config_.socket.rfind('/') + 1) + "pods";
    if (folder == nullptr) return;
    const auto given = as_string(*folder, problems_);
    if (!given) return;
    path = *given;
    while (path.ends_with('/')) path.pop_back();
    // DPDK would take the text after a comma for another argument.
    if (!path.starts_with('/') || path.find(',') != path.npos) {
        problems_.add(*folder, fmt::format("{} is not a folder's absolute path without a comma",
                                           shown(*folder)));
    }
}

void ConfigReader::add_pod_cidr(const Value& at, const IpPrefix& prefix, const std::string& text) {
    const bool is_v4 = prefix.address.is_v4();
    const unsigned longest = is_v4 ? 30 : 126;
    const auto is_same_family = [&](const IpPrefix& o) { return o.address.is_v4() == is_v4; };
    if (prefix.length > longest) {
        problems_.add(
            at, fmt::format("{} has no room for a gateway and pods (at most /{})", text, longest));
    } else if (std::ranges::any_of(config_.pods.cidrs, is_same_family)) {
        problems_.add(at,
                      fmt::format("{} is a second CIDR of its family (at most one each)", text));
    } else {
        config_.pods.cidrs.push_back(prefix);
    }
}

void ConfigReader::complete_cluster(const Value* pod_cidrs, const std::vector<IpPrefix>& networks) {
    const IpPrefix usual = *parse_prefix("10.244.0.0/16");
    const auto contains = [](const IpPrefix& outer, const IpPrefix& inner) {
        return outer.length <= inner.length && outer.contains(inner.address);
    };
    std::vector<IpPrefix>& all = config_.cluster.pod_cidrs;
    if (all.empty()) {
        for (const IpPrefix& network : networks) {
            all.push_back(network);
            claim(*pod_cidrs, network, "cluster.podCidrs");
        }
    }
    const bool is_given = !all.empty();
    for (const IpPrefix& cidr : config_.pods.cidrs) {
        if (std::ranges::any_of(all, [&](const IpPrefix& o) { return contains(o, cidr); }))
            continue;
        if (is_given) {
            problems_.add(*pod_cidrs,
                          fmt::format("{} is not within cluster.podCidrs", to_string(cidr)));
            continue;
        }
        all.push_back(contains(usual, cidr) ? usual : cidr);
        claim(*pod_cidrs, all.back(), "cluster.podCidrs");
    }
}

void ConfigReader::read_overlay(Fields overlay) {
    OverlayConfig& out = config_.overlay;
    out.format = overlay.word("type", kOverlayTypes, out.format);
    out.vni = overlay.integer<uint32_t>("vni", {1, kMaxVni, "a network id"}, out.vni);
    if (out.format) out.port = overlay_info(*out.format).ports[0];
    out.port = overlay.integer<uint16_t>("port", kPortNumbers, out.port);
    out.mac = read_mac(overlay, "mac");
    overlay.finish();
    const auto is_v4 = [](const IpAddress& address) { return address.is_v4(); };
    out.over_v6 = !own_addresses_.empty() && std::ranges::none_of(own_addresses_, is_v4);
    out.overhead_bytes = out.format ? overlay_overhead(out.over_v6) : uint16_t{0};
    const bool has_type = overlay && overlay.value().find("type") != nullptr;
    if (has_type && out.format && !config_.uplinks.empty() && own_addresses_.empty()) {
        problems_.add(overlay.value(), fmt::format("{} needs an address on an uplink",
                                                   overlay_info(*out.format).word));
    }
}

void ConfigReader::resolve_pod_mtu(const Value* value) {
    PodsConfig& pods = config_.pods;
    const bool has_v6 =
        std::ranges::any_of(pods.cidrs, [](const IpPrefix& cidr) { return cidr.address.is_v6(); });
    const int64_t lowest = has_v6 ? kMinIpv6Mtu : kMtus.lowest;
    const bool is_auto = value == nullptr || value->is_null() ||
                         (value->is(ValueType::kString) && value->text() == "auto");
    pods.mtu_is_auto = is_auto;
    if (!is_auto) {
        const auto mtu = as_integer(
            *value, {lowest, kMtus.highest, has_v6 ? "an MTU for IPv6" : "an MTU"}, problems_);
        if (mtu) pods.mtu = static_cast<uint16_t>(*mtu);
        return;
    }
    int64_t smallest = config_.uplinks.empty() ? 1500 + config_.overlay.overhead_bytes : 65535;
    for (const UplinkConfig& uplink : config_.uplinks) {
        smallest = std::min<int64_t>(smallest, uplink.mtu);
    }
    int64_t mtu = smallest - config_.overlay.overhead_bytes;
    if (subnet_mtu_) mtu = std::min<int64_t>(mtu, *subnet_mtu_);
    if (mtu < lowest) {
        problems_.add_missing(root_, "pods.mtu",
                              fmt::format("auto is {}: the smallest uplink MTU, {}, less the "
                                          "overlay's {} bytes (at least {} is needed)",
                                          mtu, smallest, config_.overlay.overhead_bytes, lowest));
        return;
    }
    pods.mtu = static_cast<uint16_t>(mtu);
}

void ConfigReader::read_objects(std::span<const Value> items) {
    for (const Value& item : items) {
        const auto text = as_string(item, problems_);
        if (!text) continue;
        if (text->empty()) {
            problems_.add(item, "an empty path; a file or folder of Kubernetes objects is meant");
            continue;
        }
        config_.objects.push_back(beside_document(*text));
    }
}

}  // namespace podlane::control
