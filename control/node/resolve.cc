// `resolve`: what the cluster's DNS server would answer, without sending it a packet.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "control/dns/message.h"
#include "control/node/dns_question.h"
#include "control/node/node_model.h"
#include "lib/dns/answer.h"
#include "lib/dns/name.h"

namespace podlane::control {

namespace {

constexpr auto kTypes = std::to_array<std::pair<std::string_view, uint16_t>>({
    {"A", kDnsA},
    {"AAAA", kDnsAaaa},
    {"CNAME", kDnsCname},
    {"NS", kDnsNs},
    {"PTR", kDnsPtr},
    {"SOA", kDnsSoa},
    {"SRV", kDnsSrv},
    {"TXT", kDnsTxt},
    {"ANY", kDnsAny},
});

}  // namespace

Outcome<Resolution> NodeModel::resolve(std::string_view name, std::string_view type) const {
    const std::shared_ptr<const DnsZone> zone = compiler_.current()->dns;
    if (!zone) {
        return refusal(RefusalKind::kFailed,
                       "cluster.dns is off: this node answers no names (docs/dns.md)");
    }
    const auto wire = dns_name_from_text(name);
    if (!wire) {
        return refusal(RefusalKind::kBadRequest, fmt::format("name: {} is not a DNS name", name));
    }
    const auto known = std::find_if(kTypes.begin(), kTypes.end(),
                                    [&](const auto& one) { return one.first == type; });
    if (known == kTypes.end()) {
        return refusal(
            RefusalKind::kBadRequest,
            fmt::format("type: {} is none of A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT, ANY", type));
    }
    const DnsQuery query = dns_question(*wire, known->second);
    DnsBytes bytes(kMaxDnsMessage);
    DnsAnswer answer = answer_dns_query(*zone, query, bytes, 0);
    const bool is_elsewhere = answer.outcome == DnsOutcome::kForward;
    const std::string target =
        is_elsewhere
            ? dns_name_text(answer.target.empty() ? std::string_view(*wire) : answer.target)
            : "";
    // The zone knows the aliases that lead out of the cluster.
    if (!answer.target.empty()) answer = answer_dns_query(*zone, query, bytes, 0, false);
    Resolution resolution{.name = dns_name_text(*wire),
                          .type = std::string(type),
                          .outcome = answer.outcome,
                          .upstream = {},
                          .records = {}};
    bytes.resize(answer.bytes);
    if (const auto message = DnsMessage::parse(bytes)) resolution.records = message->lines();
    if (is_elsewhere) {
        resolution.upstream = UpstreamQuestion{.name = target, .servers = {}, .silent = {}};
        if (name_server_ != nullptr) {
            for (const Upstream& one : name_server_->stats().upstreams) {
                const std::string server = to_string(one.server.address, one.server.port);
                resolution.upstream->servers.push_back(server);
                if (!one.is_healthy) resolution.upstream->silent.push_back(server);
            }
        }
    }
    return resolution;
}

}  // namespace podlane::control
