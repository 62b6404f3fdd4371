// Parses a DNS query, with all checks, for the packet path and for the DNS server.
//
// RFC 1035 section 4.1, RFC 6891 (EDNS0), RFC 9619 (one question). No allocation; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "lib/dns/name.h"
#include "lib/dns/wire.h"

namespace podlane {

/// A parsed query. Without kOk from parse_dns_query(), only the parts that were read are set; `id`
/// and `flags` are set unless it is kIgnore.
struct DnsQuery {
    be16 id{};
    uint16_t flags = 0;  ///< DnsFlag bits as they came
    DnsName name;        ///< lower-case
    /// The name as the client wrote it, name.size() bytes: an answer repeats its case ("0x20").
    std::array<uint8_t, kMaxDnsName> asked;
    uint16_t type = 0;
    uint16_t class_ = 0;
    bool has_edns = false;
    bool dnssec_ok = false;                ///< EDNS0's DO bit
    uint8_t edns_version = 0;              ///< only 0 exists
    uint16_t udp_bytes = kMinDnsUdpBytes;  ///< the largest answer that the client takes over UDP

    [[nodiscard]] bool recursion_desired() const noexcept {
        return (flags & kDnsRecursionDesired) != 0;
    }
    /// The most bytes that an answer over UDP may have.
    [[nodiscard]] size_t udp_limit() const noexcept {
        return udp_bytes < kMaxDnsUdpBytes ? udp_bytes : kMaxDnsUdpBytes;
    }
};

enum class DnsParse : uint8_t {
    kOk,
    kIgnore,   ///< shorter than a header, or an answer: replying could make a loop
    kFormErr,  ///< a broken query, to be answered with FORMERR
    kNotImp,   ///< another opcode than QUERY
};

/// Parses `message`. Ignores bytes after its last record.
[[nodiscard]] DnsParse parse_dns_query(std::span<const uint8_t> message, DnsQuery& query) noexcept;

}  // namespace podlane
