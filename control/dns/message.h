// DNS messages off the packet path, with libldns: queries to upstream resolvers, their answers, and
// the answers to clients that are made from these. Pure; one thread at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/dns/query.h"

struct ldns_struct_pkt;

namespace podlane::control {

using DnsBytes = std::vector<uint8_t>;

/// A question to upstream servers; also the cache's key.
struct DnsQuestion {
    std::string name;  ///< wire form, lower case
    uint16_t type = 0;
    bool dnssec_ok = false;
    bool checking_disabled = false;

    friend auto operator<=>(const DnsQuestion&, const DnsQuestion&) = default;
    /// The client's own question.
    [[nodiscard]] static DnsQuestion of(const DnsQuery& query);
    /// The same about the target of an alias.
    [[nodiscard]] DnsQuestion about(std::string_view wire_name) const;
};

/// A well-formed message, as libldns has taken it apart. Immutable.
class DnsMessage {
  public:
    /// None when the bytes are not one.
    [[nodiscard]] static std::optional<DnsMessage> parse(std::span<const uint8_t> bytes);

    /// Whether it answers this very query: id, question, and that it is an answer at all.
    [[nodiscard]] bool answers(uint16_t id, const DnsQuestion& question) const;
    [[nodiscard]] bool is_truncated() const;
    [[nodiscard]] int rcode() const;
    /// How long it may be cached: the smallest TTL of an answer; for a negative answer, as in RFC
    /// 2308 section 5. 0: not at all.
    [[nodiscard]] uint32_t seconds_to_keep() const;
    /// Its records, one per line, as `dig` shows them: the answers, or the authority section if
    /// there are none.
    [[nodiscard]] std::vector<std::string> lines() const;

    [[nodiscard]] const ldns_struct_pkt& packet() const { return *packet_; }

  private:
    struct Free {
        void operator()(ldns_struct_pkt* packet) const;
    };
    explicit DnsMessage(ldns_struct_pkt* packet) : packet_(packet) {}

    std::unique_ptr<ldns_struct_pkt, Free> packet_;
};

/// A query for an upstream resolver, with or without an OPT record.
[[nodiscard]] DnsBytes make_upstream_query(uint16_t id, const DnsQuestion& question, bool edns);

/// Whether these bytes are how a server without EDNS answers query `id`, which had an OPT record:
/// FORMERR (RFC 6891 section 7) or NOTIMP, with the question or nothing but a header.
[[nodiscard]] bool refuses_edns(std::span<const uint8_t> bytes, uint16_t id) noexcept;

/// What the client gets for `query`: the records of `upstream`, which is `age_s` old, behind those
/// of `aliases` (may be null). At most `limit` bytes; what does not fit is cut, with TC.
[[nodiscard]] DnsBytes make_client_answer(const DnsQuery& query, const DnsMessage* aliases,
                                          const DnsMessage& upstream, uint32_t age_s, size_t limit);

}  // namespace podlane::control
