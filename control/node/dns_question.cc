#include "control/node/dns_question.h"

#include <algorithm>

#include "control/dns/message.h"

namespace podlane::control {

DnsQuery dns_question(std::string_view wire, uint16_t type) {
    DnsQuery query;
    query.flags = kDnsRecursionDesired;
    query.name.assign(wire);
    std::copy(wire.begin(), wire.end(), query.asked.begin());
    query.type = type;
    query.class_ = kDnsClassIn;
    return query;
}

DnsAddresses dns_addresses(const DnsZone& zone, std::string_view wire, bool is_v6) {
    const DnsQuery query = dns_question(wire, is_v6 ? kDnsAaaa : kDnsA);
    DnsBytes bytes(kMaxDnsMessage);
    const DnsAnswer answer = answer_dns_query(zone, query, bytes, 0);
    DnsAddresses found;
    found.is_elsewhere =
        answer.outcome == DnsOutcome::kForward || answer.outcome == DnsOutcome::kRefused;
    found.exists = answer.outcome == DnsOutcome::kAnswer || answer.outcome == DnsOutcome::kNoData;
    bytes.resize(answer.bytes);
    if (const auto message = DnsMessage::parse(bytes); message && found.exists) {
        for (const std::string& line : message->lines()) {
            // NAME TTL IN TYPE ADDRESS
            const auto address = parse_ip(std::string_view(line).substr(line.rfind(' ') + 1));
            if (address && address->is_v6() == is_v6) found.addresses.push_back(*address);
        }
    }
    return found;
}

}  // namespace podlane::control
