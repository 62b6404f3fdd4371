#include "lib/dns/query.h"

#include <algorithm>
#include <cstring>

#include "lib/proto/wire.h"

namespace podlane {

namespace {

/// Type, class, TTL and data length, behind a record's name.
constexpr size_t kRecordHeadBytes = 10;

/// A query with more additional records is an attack: clients send OPT and TSIG at most.
constexpr unsigned kMostAdditionals = 8;

/// The DO bit in an OPT record's TTL, beside extended rcode, version and reserved bits (RFC 6891
/// section 6.1.3).
constexpr uint32_t kDnssecOkBit = 0x8000;

bool read_u16(std::span<const uint8_t> message, size_t& at, uint16_t& out) noexcept {
    if (!fits<be16>(message, at)) return false;
    out = load<be16>(message.data() + at).host();
    at += sizeof(be16);
    return true;
}

/// Reads the additional section for its OPT record. False if it is malformed, or has two.
bool read_additionals(std::span<const uint8_t> message, size_t at, unsigned count,
                      DnsQuery& query) noexcept {
    if (count > kMostAdditionals) return false;
    for (unsigned i = 0; i < count; ++i) {
        const size_t name_at = at;
        if (!skip_dns_name(message, at)) return false;
        if (message.size() - at < kRecordHeadBytes) return false;
        const uint8_t* head = message.data() + at;
        const auto type = load<be16>(head).host();
        const auto class_ = load<be16>(head + 2).host();
        const auto ttl = load<be32>(head + 4).host();
        const auto data_bytes = load<be16>(head + 8).host();
        at += kRecordHeadBytes;
        if (message.size() - at < data_bytes) return false;
        at += data_bytes;
        if (type != kDnsOpt) continue;
        // RFC 6891 section 6.1.1: only one, named by the root.
        if (query.has_edns || message[name_at] != 0) return false;
        query.has_edns = true;
        query.dnssec_ok = (ttl & kDnssecOkBit) != 0;
        query.edns_version = static_cast<uint8_t>(ttl >> 16);
        // Section 6.2.3: less than 512 means 512.
        query.udp_bytes = std::max(class_, static_cast<uint16_t>(kMinDnsUdpBytes));
    }
    return true;
}

}  // namespace

DnsParse parse_dns_query(std::span<const uint8_t> message, DnsQuery& query) noexcept {
    if (message.size() < sizeof(DnsHeader)) return DnsParse::kIgnore;
    const auto header = load<DnsHeader>(message.data());
    query.id = header.id;
    query.flags = header.flags.host();
    if ((query.flags & kDnsResponse) != 0) return DnsParse::kIgnore;
    if ((query.flags & kDnsOpcodeMask) != 0) return DnsParse::kNotImp;
    // RFC 9619: a query has one question. Answer and authority records have no meaning in it.
    if (header.questions.host() != 1 || header.answers.host() != 0 ||
        header.authorities.host() != 0) {
        return DnsParse::kFormErr;
    }
    size_t at = sizeof(DnsHeader);
    if (!query.name.parse(message, at)) return DnsParse::kFormErr;
    std::memcpy(query.asked.data(), message.data() + sizeof(DnsHeader), query.name.size());
    if (!read_u16(message, at, query.type) || !read_u16(message, at, query.class_)) {
        return DnsParse::kFormErr;
    }
    if (!read_additionals(message, at, header.additionals.host(), query)) {
        return DnsParse::kFormErr;
    }
    return DnsParse::kOk;
}

}  // namespace podlane
