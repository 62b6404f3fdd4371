#include "control/dns/message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "lib/proto/wire.h"

namespace podlane::control {

namespace {

/// The longest time to cache an answer, whatever its TTL; the second one is for negative answers.
constexpr uint32_t kMostSeconds = 3600;
constexpr uint32_t kMostNegativeSeconds = 30;
/// Offset of MINIMUM in a SOA record's fixed data.
constexpr size_t kSoaMinimum = 6;

using PacketPtr = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

PacketPtr new_packet() {
    return {ldns_pkt_new(), &ldns_pkt_free};
}

/// The name in libldns's form, owned by the caller.
ldns_rdf* dname_of(std::string_view wire) {
    ldns_rdf* name = nullptr;
    size_t at = 0;
    const auto* bytes = reinterpret_cast<const uint8_t*>(wire.data());
    return ldns_wire2dname(&name, bytes, wire.size(), &at) == LDNS_STATUS_OK ? name : nullptr;
}

void push_question(ldns_pkt& packet, std::string_view wire_name, uint16_t type) {
    ldns_rr* question = ldns_rr_new();
    ldns_rr_set_question(question, true);
    ldns_rr_set_owner(question, dname_of(wire_name));
    ldns_rr_set_type(question, static_cast<ldns_rr_type>(type));
    ldns_rr_set_class(question, LDNS_RR_CLASS_IN);
    ldns_pkt_push_rr(&packet, LDNS_SECTION_QUESTION, question);
}

DnsBytes to_wire(const ldns_pkt& packet) {
    uint8_t* made = nullptr;
    size_t size = 0;
    DnsBytes bytes;
    if (ldns_pkt2wire(&made, &packet, &size) == LDNS_STATUS_OK) bytes.assign(made, made + size);
    std::free(made);
    return bytes;
}

/// Copies the records of a section, with `age_s` subtracted from their TTLs.
void copy_section(const ldns_pkt& from, ldns_pkt_section section, uint32_t age_s, ldns_pkt& to) {
    ldns_rr_list* list = ldns_pkt_get_section_clone(&from, section);
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
        ldns_rr* record = ldns_rr_list_rr(list, i);
        ldns_rr_set_ttl(record, ldns_rr_ttl(record) - std::min(age_s, ldns_rr_ttl(record)));
        ldns_pkt_push_rr(&to, section, record);
    }
    ldns_rr_list_free(list);  // the list, not its records
}

/// Removes records from the end until the message has at most `limit` bytes.
DnsBytes cut_to(ldns_pkt& packet, size_t limit) {
    DnsBytes bytes = to_wire(packet);
    for (const ldns_pkt_section section :
         {LDNS_SECTION_ADDITIONAL, LDNS_SECTION_AUTHORITY, LDNS_SECTION_ANSWER}) {
        ldns_rr_list* list = section == LDNS_SECTION_ADDITIONAL  ? ldns_pkt_additional(&packet)
                             : section == LDNS_SECTION_AUTHORITY ? ldns_pkt_authority(&packet)
                                                                 : ldns_pkt_answer(&packet);
        while (bytes.size() > limit && ldns_rr_list_rr_count(list) > 0) {
            // Additional records are optional (RFC 2181 section 9).
            if (section != LDNS_SECTION_ADDITIONAL) ldns_pkt_set_tc(&packet, true);
            const size_t surplus = 1 + ldns_rr_list_rr_count(list) / 8;
            for (size_t i = 0; i < surplus; ++i) ldns_rr_free(ldns_rr_list_pop_rr(list));
            ldns_pkt_set_section_count(&packet, section,
                                       static_cast<uint16_t>(ldns_rr_list_rr_count(list)));
            bytes = to_wire(packet);
        }
    }
    return bytes;
}

std::string text_of(const ldns_rr* record) {
    char* made = ldns_rr2str(record);
    std::string text = made != nullptr ? made : "";
    std::free(made);
    std::replace(text.begin(), text.end(), '\t', ' ');
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

}  // namespace

DnsQuestion DnsQuestion::of(const DnsQuery& query) {
    return {std::string(query.name.wire()), query.type, query.dnssec_ok,
            (query.flags & kDnsCheckingDisabled) != 0};
}

DnsQuestion DnsQuestion::about(std::string_view wire_name) const {
    DnsQuestion other = *this;
    other.name = wire_name;
    return other;
}

void DnsMessage::Free::operator()(ldns_struct_pkt* packet) const {
    ldns_pkt_free(packet);
}

std::optional<DnsMessage> DnsMessage::parse(std::span<const uint8_t> bytes) {
    ldns_pkt* packet = nullptr;
    if (ldns_wire2pkt(&packet, bytes.data(), bytes.size()) != LDNS_STATUS_OK) return std::nullopt;
    return DnsMessage(packet);
}

bool DnsMessage::answers(uint16_t id, const DnsQuestion& question) const {
    const ldns_rr_list* asked = ldns_pkt_question(packet_.get());
    if (!ldns_pkt_qr(packet_.get()) || ldns_pkt_id(packet_.get()) != id ||
        ldns_rr_list_rr_count(asked) != 1) {
        return false;
    }
    const ldns_rr* record = ldns_rr_list_rr(asked, 0);
    const std::unique_ptr<ldns_rdf, decltype(&ldns_rdf_deep_free)> name{dname_of(question.name),
                                                                        &ldns_rdf_deep_free};
    return name && ldns_rr_get_type(record) == static_cast<ldns_rr_type>(question.type) &&
           ldns_rr_get_class(record) == LDNS_RR_CLASS_IN &&
           ldns_dname_compare(ldns_rr_owner(record), name.get()) == 0;
}

bool DnsMessage::is_truncated() const {
    return ldns_pkt_tc(packet_.get());
}

int DnsMessage::rcode() const {
    return ldns_pkt_get_rcode(packet_.get());
}

uint32_t DnsMessage::seconds_to_keep() const {
    if (is_truncated()) return 0;
    const bool is_nxdomain = rcode() == LDNS_RCODE_NXDOMAIN;
    if (rcode() != LDNS_RCODE_NOERROR && !is_nxdomain) return 0;
    uint32_t seconds = kMostSeconds;
    const ldns_rr_list* answers = ldns_pkt_answer(packet_.get());
    for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
        seconds = std::min(seconds, ldns_rr_ttl(ldns_rr_list_rr(answers, i)));
    }
    if (ldns_rr_list_rr_count(answers) > 0 && !is_nxdomain) return seconds;
    const ldns_rr_list* authority = ldns_pkt_authority(packet_.get());
    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); ++i) {
        const ldns_rr* record = ldns_rr_list_rr(authority, i);
        // libldns accepts a record without data, whatever its type.
        if (ldns_rr_get_type(record) != LDNS_RR_TYPE_SOA) continue;
        if (ldns_rr_rd_count(record) <= kSoaMinimum) continue;
        const uint32_t minimum = ldns_rdf2native_int32(ldns_rr_rdf(record, kSoaMinimum));
        return std::min({seconds, kMostNegativeSeconds, ldns_rr_ttl(record), minimum});
    }
    return 0;
}

std::vector<std::string> DnsMessage::lines() const {
    const ldns_rr_list* list = ldns_pkt_answer(packet_.get());
    if (ldns_rr_list_rr_count(list) == 0) list = ldns_pkt_authority(packet_.get());
    std::vector<std::string> out;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
        out.push_back(text_of(ldns_rr_list_rr(list, i)));
    }
    return out;
}

DnsBytes make_upstream_query(uint16_t id, const DnsQuestion& question, bool edns) {
    const PacketPtr packet = new_packet();
    ldns_pkt_set_id(packet.get(), id);
    ldns_pkt_set_rd(packet.get(), true);
    ldns_pkt_set_cd(packet.get(), question.checking_disabled);
    push_question(*packet, question.name, question.type);
    if (edns) {
        ldns_pkt_set_edns_udp_size(packet.get(), kMaxDnsUdpBytes);
        ldns_pkt_set_edns_do(packet.get(), question.dnssec_ok);
    }
    return to_wire(*packet);
}

bool refuses_edns(std::span<const uint8_t> bytes, uint16_t id) noexcept {
    // Only the header is checked: some such servers announce a question but send none.
    if (bytes.size() < sizeof(DnsHeader)) return false;
    const auto header = load<DnsHeader>(bytes.data());
    const uint16_t flags = header.flags.host();
    const int rcode = flags & 0xf;
    return header.id.host() == id && (flags & 0x8000) != 0 &&
           (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL);
}

DnsBytes make_client_answer(const DnsQuery& query, const DnsMessage* aliases,
                            const DnsMessage& upstream, uint32_t age_s, size_t limit) {
    const ldns_pkt& from = upstream.packet();
    const PacketPtr packet = new_packet();
    ldns_pkt_set_id(packet.get(), query.id.host());
    ldns_pkt_set_qr(packet.get(), true);
    ldns_pkt_set_rd(packet.get(), query.recursion_desired());
    ldns_pkt_set_ra(packet.get(), true);
    ldns_pkt_set_cd(packet.get(), (query.flags & kDnsCheckingDisabled) != 0);
    ldns_pkt_set_rcode(packet.get(), static_cast<uint8_t>(upstream.rcode()));
    // The question with the client's capitalisation.
    push_question(*packet, {reinterpret_cast<const char*>(query.asked.data()), query.name.size()},
                  query.type);
    if (aliases != nullptr) {
        copy_section(aliases->packet(), LDNS_SECTION_ANSWER, 0, *packet);
    }
    for (const ldns_pkt_section section :
         {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY, LDNS_SECTION_ADDITIONAL}) {
        copy_section(from, section, age_s, *packet);
    }
    if (query.has_edns) {
        ldns_pkt_set_edns_udp_size(packet.get(), kMaxDnsUdpBytes);
        ldns_pkt_set_edns_do(packet.get(), query.dnssec_ok);
    }
    return cut_to(*packet, limit);
}

}  // namespace podlane::control
