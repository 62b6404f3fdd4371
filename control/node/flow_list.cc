// `get flows`: turns the question into a filter, and matching connections into rows.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include "control/kube/store.h"
#include "control/node/listings.h"
#include "lib/flow/tcp_state.h"
#include "lib/proto/ip_protocol.h"

namespace podlane::control {

namespace {

/// Connections in memory at a time, beside their text.
constexpr size_t kFlowsAtOnce = 4096;
/// How often one answer may read the table, for a few ms each; other requests are answered in
/// between.
constexpr unsigned kFlowLooks = 4;

template <Family F>
PortId port_towards(const Snapshot& snapshot, const IpAddress& address) {
    const Route<F>* route = snapshot.family<F>().routes->find(address.as<F>());
    if (route == nullptr) return kNoPort;
    if (route->adjacency == kNoAdjacency) return route->port;
    return snapshot.adjacencies[index_of(route->adjacency)].port;
}

PortId port_towards(const Snapshot& snapshot, const IpAddress& address) {
    return address.is_v4() ? port_towards<V4>(snapshot, address)
                           : port_towards<V6>(snapshot, address);
}

/// All of `text` as a number below 65536.
std::optional<uint16_t> number(std::string_view text) {
    uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "10.0.0.1", "10.0.0.1:80", "fd00::1" or "[fd00::1]:80" as an end of a connection.
std::optional<FlowSubject> read_end(std::string_view text) {
    if (const auto address = parse_ip(text)) return FlowSubject{.addresses = {*address}};
    const size_t colon = text.rfind(':');
    if (colon == text.npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto address = parse_ip(host);
    const auto port = number(text.substr(colon + 1));
    if (!address || !port) return std::nullopt;
    return FlowSubject{.addresses = {*address}, .port = port};
}

using ServiceNames = std::map<ServiceId, std::string>;

std::vector<ServiceId> ids_of(const ServiceNames& services, std::string_view name) {
    std::vector<ServiceId> ids;
    for (const auto& [id, service] : services) {
        if (service == name) ids.push_back(id);
    }
    return ids;
}

/// Addresses of a pod that has a port here, or that is known from its object.
std::vector<IpAddress> addresses_of_pod(const LiveView& live, std::string_view name) {
    if (const AttachedPod* pod = live.ports.find(name)) return pod->addresses;
    const size_t slash = name.find('/');
    if (slash == name.npos) return {};
    const auto pod = live.store.find<Pod>(
        {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
    return pod == nullptr ? std::vector<IpAddress>{} : pod->ips;
}

/// The subject of `get flows NAME`; nothing if the name is unknown.
std::optional<FlowSubject> subject_of(const LiveView& live, const ServiceNames& services,
                                      std::string_view name) {
    if (auto end = read_end(name)) return end;
    FlowSubject subject;
    subject.services = ids_of(services, name);
    subject.addresses = addresses_of_pod(live, name);
    if (subject.services.empty() && subject.addresses.empty()) return std::nullopt;
    return subject;
}

/// The text with each letter converted by `to`.
template <class To>
std::string with_case(std::string_view text, To to) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [to](unsigned char c) { return static_cast<char>(to(c)); });
    return out;
}

std::optional<uint8_t> protocol_of(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, uint8_t>, 5> kNames{
        {{"tcp", kProtocolTcp},
         {"udp", kProtocolUdp},
         {"sctp", kProtocolSctp},
         {"icmp", kProtocolIcmp},
         {"icmpv6", kProtocolIcmpv6}}};
    const std::string word = with_case(text, [](int c) { return std::tolower(c); });
    for (const auto& [name, protocol] : kNames) {
        if (word == name) return protocol;
    }
    const auto value = number(word);
    return value && *value < 256 ? std::optional(static_cast<uint8_t>(*value)) : std::nullopt;
}

/// The states that connections are shown in; a few of TCP's have one name.
const std::vector<std::string_view>& state_names() {
    static const std::vector<std::string_view> kNames = [] {
        std::vector<std::string_view> names;
        for (auto state = static_cast<unsigned>(TcpState::kNone) + 1; state < kTcpStates; ++state) {
            const std::string_view name = to_string(static_cast<TcpState>(state));
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
        }
        names.insert(names.end(), {kFlowReplied, kFlowUnreplied});
        return names;
    }();
    return kNames;
}

/// A state or a worker that no connection can have.
Result<void> check_values(const LiveView& live, const FlowFilter& filter) {
    if (!filter.state.empty() &&
        std::ranges::find(state_names(), filter.state) == state_names().end()) {
        return Error{
            fmt::format("state: {} is none of {}", filter.state, fmt::join(state_names(), ", "))};
    }
    const auto workers = live.dataplane.workers();
    if (filter.worker &&
        std::ranges::find(workers, *filter.worker, &WorkerInfo::id) == workers.end()) {
        return Error{
            fmt::format("worker: there is no worker {}; podlanectl get workers", *filter.worker)};
    }
    return {};
}

/// Takes the parts of the question that can be checked on their own.
void take_plain(const FlowQuestion& question, FlowFilter& filter) {
    if (question.port) filter.subjects.push_back({.port = question.port});
    if (question.state) {
        filter.state = with_case(*question.state, [](int c) { return std::toupper(c); });
    }
    filter.worker = question.worker;
    filter.least_age_s = question.older_s.value_or(0);
    filter.most_age_s = question.younger_s.value_or(UINT32_MAX);
    filter.least_idle_s = question.idle_s.value_or(0);
    filter.blocked = question.dropped;
}

/// None if no connection can match.
Result<std::optional<FlowFilter>> filter_of(const LiveView& live, const ServiceNames& services,
                                            const FlowQuestion& question) {
    FlowFilter filter;
    take_plain(question, filter);
    if (const auto checked = check_values(live, filter); !checked) return checked.error();
    if (question.name) {
        auto subject = subject_of(live, services, *question.name);
        if (!subject) return std::optional<FlowFilter>();
        filter.subjects.push_back(std::move(*subject));
    }
    if (question.pod) {
        auto addresses = addresses_of_pod(live, *question.pod);
        if (addresses.empty()) {
            return Error{
                fmt::format("pod: {} has no port here and is no known Pod's name", *question.pod)};
        }
        filter.subjects.push_back({.addresses = std::move(addresses)});
    }
    if (question.service) {
        auto ids = ids_of(services, *question.service);
        if (ids.empty()) {
            return Error{
                fmt::format("service: {} is no Service that is served here", *question.service)};
        }
        filter.subjects.push_back({.services = std::move(ids)});
    }
    if (question.address) {
        auto subject = read_end(*question.address);
        if (!subject) return Error{fmt::format("address: {} is none", *question.address)};
        filter.subjects.push_back(std::move(*subject));
    }
    if (question.protocol) {
        filter.protocol = protocol_of(*question.protocol);
        if (!filter.protocol) {
            return Error{
                fmt::format("protocol: {} is none of tcp, udp, sctp, icmp, icmpv6, and "
                            "no number (0-255)",
                            *question.protocol)};
        }
    }
    return std::optional(std::move(filter));
}

FlowRow flow_row(const LiveView& live, const PortNames& names, const ServiceNames& services,
                 const FlowInfo& flow) {
    FlowRow row;
    row.flow = flow;
    row.is_kernels = live.shortcut.carries(flow.ref);
    const auto service = services.find(flow.service);
    if (flow.service != kNoService && service != services.end()) row.service = service->second;
    row.in_port = names.name(port_towards(live.snapshot, flow.src));
    row.out_port = names.name(port_towards(live.snapshot, flow.reply_src));
    return row;
}

}  // namespace

bool is_name_of_flows(const LiveView& live, std::string_view name) {
    if (read_end(name) || live.ports.find(name) != nullptr) return true;
    const size_t slash = name.find('/');
    if (slash == name.npos) return false;
    const NamespacedName object{std::string(name.substr(0, slash)),
                                std::string(name.substr(slash + 1))};
    return live.store.find<Pod>(object) != nullptr || live.store.find<Service>(object) != nullptr;
}

Result<FlowList> list_flows(const LiveView& live, const FlowQuestion& question, size_t limit,
                            FlowCursor from) {
    FlowList list;
    const ServiceNames services = service_names(live.snapshot);
    const auto filter = filter_of(live, services, question);
    if (!filter.ok()) return filter.error();
    if (!*filter) return list;
    const PortNames names(live.dataplane);
    list.next = from;
    for (unsigned looks = 0; looks < kFlowLooks; ++looks) {
        const size_t left = limit == 0 ? kFlowsAtOnce : limit - list.rows.size();
        const FlowPage page =
            live.dataplane.flows(**filter, std::min(left, kFlowsAtOnce), list.next);
        for (const FlowInfo& flow : page.flows) {
            list.rows.push_back(flow_row(live, names, services, flow));
        }
        list.next = page.next;
        if (list.next == 0 || (limit != 0 && list.rows.size() >= limit)) break;
    }
    return list;
}

}  // namespace podlane::control
