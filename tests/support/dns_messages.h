// DNS queries made by hand, and answers parsed by libldns: the oracle for lib/dns.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns/zone.h"

namespace podlane::test {

/// The options of a query beside its name and type.
struct DnsAsk {
    uint16_t id = 0x1234;
    bool recursion = true;
    bool checking_disabled = false;
    uint16_t class_ = 1;
    uint16_t edns_bytes = 0;  ///< 0: no OPT record
    uint8_t edns_version = 0;
    bool dnssec_ok = false;
};

/// A query in wire form; the name's case is kept. `type`: "A", "AAAA", "SRV", ...
[[nodiscard]] std::vector<uint8_t> dns_query(std::string_view name, std::string_view type,
                                             const DnsAsk& ask = {});

/// An answer, its records as text with single blanks: "web.default.svc.cluster.local. 5 IN A ...".
struct DnsReply {
    bool readable = false;  ///< libldns parses all of it
    uint16_t id = 0;
    int rcode = -1;  ///< EDNS0's extension included
    bool authoritative = false, truncated = false, recursion_desired = false,
         recursion_available = false, checking_disabled = false;
    std::vector<std::string> question, answer, authority, additional;
    bool has_edns = false;
    bool dnssec_ok = false;
    uint16_t edns_bytes = 0;
};
[[nodiscard]] DnsReply read_dns(std::span<const uint8_t> message);

/// A zone "cluster.local" with servers 10.96.0.10 and fd96::a, of pods in 10.244.0.0/16 and
/// fd00::/16, Services in 10.96.0.0/12 and fd96::/112, and these in it (namespace/name):
///   default/web       ClusterIP 10.96.0.20, fd96::20; ports http 80/TCP, dns 53/UDP and one
///   unnamed default/db        headless: db-0 10.244.1.5 and fd00::5, db-1 10.244.2.6, 10-244-3-7
///                     10.244.3.7; port sql 3306/TCP
///   shop/outside      ExternalName www.example.com
///   shop/alias        ExternalName web.default.svc.cluster.local
///   shop/gone         ExternalName nothing.default.svc.cluster.local
///   shop/circle       ExternalName circle.shop.svc.cluster.local
///   shop/many         headless: 200 endpoints m-0 ... m-199, 10.244.9.0 ..., port x 1/TCP
[[nodiscard]] std::shared_ptr<DnsZone> dns_world();

}  // namespace podlane::test
