#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/responder.h"

#include <optional>

namespace podlane::control {

namespace {

/// The result of answer_dns_query(), without pointers into the zone.
struct OwnAnswer {
    DnsOutcome outcome = DnsOutcome::kForward;
    DnsBytes bytes;
    std::string target;
};

OwnAnswer answer_from(const DnsZone& zone, const DnsQuery& query, size_t limit, uint32_t turn,
                      bool follow) {
    OwnAnswer own;
    own.bytes.resize(limit);
    const DnsAnswer made = answer_dns_query(zone, query, own.bytes, turn, follow);
    own.outcome = made.outcome;
    own.bytes.resize(made.bytes);
    own.target = made.target;
    return own;
}

}  // namespace

DnsBytes DnsResponder::error(const DnsQuery& query, DnsOutcome outcome, DnsRcode rcode) {
    count(outcome);
    DnsBytes bytes(kMinDnsUdpBytes);
    bytes.resize(write_dns_error(query, rcode, bytes));
    return bytes;
}

void DnsResponder::handle(std::span<const uint8_t> message, DnsTransport transport,
                          const IpAddress& client, Reply reply) {
    ++(transport == DnsTransport::kUdp ? counted_.udp_queries : counted_.tcp_queries);
    DnsQuery query;
    const DnsParse parsed = parse_dns_query(message, query);
    if (parsed != DnsParse::kOk) {
        reply(parsed == DnsParse::kIgnore ? DnsBytes{}
                                          : error(query, outcome_of(parsed), rcode_of(parsed)));
        return;
    }
    const size_t limit = transport == DnsTransport::kUdp ? query.udp_limit() : kMaxDnsMessage;
    const uint32_t turn = turn_++;
    OwnAnswer own = zone_.with(
        [&](const DnsZone& zone) { return answer_from(zone, query, limit, turn, true); });
    if (own.outcome != DnsOutcome::kForward) {
        count(own.outcome);
        reply(std::move(own.bytes));
    } else {
        forward(query, own.target, limit, client, std::move(reply));
    }
}

void DnsResponder::forward(const DnsQuery& query, const std::string& target, size_t limit,
                           const IpAddress& client, Reply reply) {
    // A cluster alias with a target elsewhere: its records precede the target's.
    OwnAnswer alias;
    if (!target.empty()) {
        alias = zone_.with(
            [&](const DnsZone& zone) { return answer_from(zone, query, limit, 0, false); });
    }
    if (!forwarder_.has_servers()) {
        if (target.empty()) {
            reply(error(query, DnsOutcome::kRefused, DnsRcode::kRefused));
        } else {
            count(alias.outcome);
            reply(std::move(alias.bytes));
        }
        return;
    }
    count(DnsOutcome::kForward);
    const DnsQuestion own = DnsQuestion::of(query);
    forwarder_.ask(
        target.empty() ? own : own.about(target), client,
        [this, query, limit, aliases = std::move(alias.bytes), reply = std::move(reply)](
            const std::shared_ptr<const DnsMessage>& answer, uint32_t age_s) {
            if (!answer) {
                reply(error(query, DnsOutcome::kServFail, DnsRcode::kServFail));
                return;
            }
            std::optional<DnsMessage> before;
            if (!aliases.empty()) before = DnsMessage::parse(aliases);
            reply(make_client_answer(query, before ? &*before : nullptr, *answer, age_s, limit));
        });
}

}  // namespace podlane::control
