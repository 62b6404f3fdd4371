// Answers a query from one zone: a pure function.
//
// Workers call it for queries over UDP, the DNS server for other queries, `resolve` for display.
// docs/dns.md says what it answers. No allocation; any thread that may read the zone.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/dns/query.h"
#include "lib/dns/zone.h"

namespace podlane {

/// The TTL of every record of the zone, and of negative answers.
inline constexpr uint32_t kDnsTtlSeconds = 5;

/// The outcome of a query, for counting.
enum class DnsOutcome : uint8_t {
    kAnswer,      ///< records
    kNoData,      ///< the name exists, but not with this type
    kNxDomain,    ///< the name does not exist
    kFormErr,     ///< a broken query
    kNotImp,      ///< another opcode than QUERY
    kRefused,     ///< another class than IN, a zone transfer; a name elsewhere without an upstream
    kBadVersion,  ///< another version of EDNS than 0
    kServFail,    ///< a loop of aliases in the zone; no upstream answers
    kForward,     ///< not answered: the name, or the alias's target, is outside the zone
};
inline constexpr size_t kDnsOutcomes = 9;

[[nodiscard]] constexpr const char* to_string(DnsOutcome outcome) noexcept {
    constexpr std::array<const char*, kDnsOutcomes> kNames{"answer",     "nodata",   "nxdomain",
                                                           "formerr",    "notimp",   "refused",
                                                           "badversion", "servfail", "forward"};
    return kNames[static_cast<size_t>(outcome)];
}

struct DnsAnswer {
    DnsOutcome outcome = DnsOutcome::kForward;
    bool truncated = false;  ///< records were left out, TC is set
    size_t bytes = 0;        ///< written to `out`; 0 with kForward
    /// For kForward because of an ExternalName: its target in wire form, in the zone's memory.
    /// Empty: forward the question's own name.
    std::string_view target{};
};

/// Answers `query`, for which parse_dns_query() returned kOk, into `out`, which has at least
/// kMinDnsUdpBytes. `turn` selects the address that comes first. `follow`: if the client desires
/// recursion, an alias to a name outside the zone is left to be followed (kForward); without it the
/// alias alone is the answer.
[[nodiscard]] DnsAnswer answer_dns_query(const DnsZone& zone, const DnsQuery& query,
                                         std::span<uint8_t> out, uint32_t turn,
                                         bool follow = true) noexcept;

/// An answer without records, for a query that parse_dns_query() refused or that cannot be served:
/// only `rcode`, and the question if it was read (`query.class_` is not 0). Returns its bytes.
[[nodiscard]] size_t write_dns_error(const DnsQuery& query, DnsRcode rcode,
                                     std::span<uint8_t> out) noexcept;

/// For a query that parse_dns_query() refused: the outcome to count, and the rcode to answer with.
[[nodiscard]] constexpr DnsOutcome outcome_of(DnsParse parse) noexcept {
    return parse == DnsParse::kNotImp ? DnsOutcome::kNotImp : DnsOutcome::kFormErr;
}
[[nodiscard]] constexpr DnsRcode rcode_of(DnsParse parse) noexcept {
    return parse == DnsParse::kNotImp ? DnsRcode::kNotImp : DnsRcode::kFormErr;
}

}  // namespace podlane
