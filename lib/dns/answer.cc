#include "lib/dns/answer.h"

#include <algorithm>

#include "lib/dns/reverse.h"
#include "lib/dns/writer.h"

namespace podlane {

namespace {

using namespace std::string_view_literals;

/// How many aliases within the zone are followed before they count as a loop.
constexpr unsigned kMostAliases = 8;
/// How many targets of SRV records get their addresses added.
constexpr size_t kMostTargets = 64;
/// An OPT record without options: RFC 6891 section 6.1.2.
constexpr size_t kOptBytes = 11;
constexpr uint16_t kSrvPriority = 0;
constexpr uint16_t kSrvWeight = 100;
/// SOA timers for secondaries, of which there are none; the last is the negative TTL.
constexpr std::array<uint32_t, 4> kSoaTimers{7200, 1800, 86400, kDnsTtlSeconds};
constexpr std::string_view kSchemaVersion =
    "\5"
    "1.1.0";
constexpr std::string_view kServerLabels = "\2ns\3dns";

uint8_t protocol_of(std::string_view label) noexcept {
    if (label == "_tcp") return 6;
    if (label == "_udp") return 17;
    return label == "_sctp" ? 132 : 0;
}

/// Writes the header in front of the message. `added` counts records by section.
void put_header(const DnsQuery& query, std::span<uint8_t> out, uint16_t flags, bool has_question,
                const std::array<uint16_t, 3>& added) noexcept {
    constexpr uint16_t kKept = kDnsOpcodeMask | kDnsRecursionDesired | kDnsCheckingDisabled;
    DnsHeader header{};
    header.id = query.id;
    header.flags = be16(static_cast<uint16_t>(kDnsResponse | kDnsRecursionAvailable | flags |
                                              (query.flags & kKept)));
    header.questions = be16(has_question ? 1 : 0);
    header.answers = be16(added[0]);
    header.authorities = be16(added[1]);
    header.additionals = be16(added[2]);
    store(out.data(), header);
}

void put_question(const DnsQuery& query, DnsWriter& writer) noexcept {
    writer.bytes(std::span(query.asked).first(query.name.size()));
    writer.u16(query.type);
    writer.u16(query.class_);
}

/// `extended`: the upper eight bits of the rcode.
void put_opt(const DnsQuery& query, DnsWriter& writer, uint8_t extended) noexcept {
    writer.u8(0);
    writer.u16(kDnsOpt);
    writer.u16(kMaxDnsUdpBytes);
    writer.u8(extended);
    writer.u8(0);
    writer.u16(query.dnssec_ok ? 0x8000 : 0);
    writer.u16(0);
}

/// The work on one answer.
class Answering {
  public:
    Answering(const DnsZone& zone, const DnsQuery& query, std::span<uint8_t> out,
              uint32_t turn) noexcept
        : zone_(zone),
          query_(query),
          out_(out),
          turn_(turn),
          writer_(out.first(out.size() - (query.has_edns ? kOptBytes : 0))) {}

    [[nodiscard]] DnsAnswer run(bool follow) noexcept;

  private:
    enum class Found : uint8_t { kRecords, kNoData, kNxDomain, kAlias, kElsewhere };
    enum Section : size_t { kAnswers, kAuthorities, kAdditionals };

    /// A name to look up, its offset in the message, and its zone.
    struct Subject {
        const DnsName& name;
        size_t offset;
        unsigned zone_label = 0;  ///< its zone's name begins at this label
        bool is_reverse = false;
    };

    Found look_up(Subject& subject) noexcept;
    Found in_domain(const Subject& subject, unsigned labels) noexcept;
    Found in_services(const Subject& subject, unsigned labels) noexcept;
    Found below_service(const Subject& subject, const DnsService& service,
                        unsigned labels) noexcept;
    Found in_pods(const Subject& subject, unsigned labels) noexcept;
    Found in_reverse(Subject& subject) noexcept;
    Found apex(const Subject& subject) noexcept;

    [[nodiscard]] bool wants(uint16_t type) const noexcept {
        return query_.type == type || query_.type == kDnsAny;
    }
    /// kRecords if records were written since `before`, or left out for want of room.
    [[nodiscard]] Found found_since(uint16_t before) const noexcept {
        return added_[kAnswers] > before || truncated_ ? Found::kRecords : Found::kNoData;
    }

    Found addresses(size_t owner, const DnsAddresses& list) noexcept;
    template <Family F>
    void address_records(size_t owner, const std::vector<typename F::Address>& list, uint16_t type,
                         Section section) noexcept;
    void service_ports(const Subject& subject, const DnsService& service,
                       std::span<const DnsServicePort> ports) noexcept;
    bool alias(const Subject& subject, std::string_view target) noexcept;
    void start_of_authority(const Subject& subject, Section section) noexcept;
    bool keep(size_t begin, Section section) noexcept;
    DnsAnswer finish(DnsOutcome outcome, DnsRcode rcode) noexcept;
    void server_name(const Subject& subject, std::string_view labels) noexcept;

    const DnsZone& zone_;
    const DnsQuery& query_;
    const std::span<uint8_t> out_;
    const uint32_t turn_;
    DnsWriter writer_;
    std::array<uint16_t, 3> added_{};
    bool truncated_ = false;
    std::string_view alias_target_{};
};

bool Answering::keep(size_t begin, Section section) noexcept {
    if (writer_.ok()) {
        ++added_[section];
        return true;
    }
    writer_.rewind(begin);
    // Additional records are optional: without them an answer is complete (RFC 2181 section 9).
    if (section == kAnswers) truncated_ = true;
    return false;
}

template <Family F>
void Answering::address_records(size_t owner, const std::vector<typename F::Address>& list,
                                uint16_t type, Section section) noexcept {
    for (size_t i = 0; i < list.size(); ++i) {
        const size_t begin = writer_.size();
        writer_.pointer(owner);
        writer_.head(type, kDnsTtlSeconds);
        const size_t data = writer_.begin_data();
        writer_.bytes(dns_address_key(list[(turn_ + i) % list.size()]));
        writer_.end_data(data);
        if (!keep(begin, section)) return;
    }
}

Answering::Found Answering::addresses(size_t owner, const DnsAddresses& list) noexcept {
    const uint16_t before = added_[kAnswers];
    if (wants(kDnsA)) address_records<V4>(owner, list.v4, kDnsA, kAnswers);
    if (wants(kDnsAaaa)) address_records<V6>(owner, list.v6, kDnsAaaa, kAnswers);
    return found_since(before);
}

void Answering::service_ports(const Subject& subject, const DnsService& service,
                              std::span<const DnsServicePort> ports) noexcept {
    struct Target {
        size_t offset;
        const DnsAddresses* addresses;
    };
    std::array<Target, kMostTargets> targets;
    size_t count = 0;
    const std::string_view service_name =
        subject.name.wire().substr(subject.name.offset(2));  // behind _PORT._PROTOCOL
    for (size_t i = 0; i < ports.size(); ++i) {
        const DnsServicePort& port = ports[(turn_ + i) % ports.size()];
        const size_t begin = writer_.size();
        writer_.pointer(subject.offset);
        writer_.head(kDnsSrv, kDnsTtlSeconds);
        const size_t data = writer_.begin_data();
        writer_.u16(kSrvPriority);
        writer_.u16(kSrvWeight);
        writer_.u16(port.port);
        // RFC 2782: the target is not compressed.
        const size_t target = writer_.size();
        const DnsAddresses* of_target = &service.addresses;
        if (port.host != DnsServicePort::kService) {
            const DnsHost& host = service.hosts[port.host];
            of_target = &host.addresses;
            writer_.u8(static_cast<uint8_t>(host.label.size()));
            writer_.bytes(std::string_view(host.label));
        }
        writer_.bytes(service_name);
        writer_.end_data(data);
        if (!keep(begin, kAnswers)) return;
        if (count < kMostTargets && target <= DnsWriter::kMaxPointer) {
            targets[count++] = {target, of_target};
        }
    }
    for (size_t i = 0; i < count; ++i) {
        address_records<V4>(targets[i].offset, targets[i].addresses->v4, kDnsA, kAdditionals);
        address_records<V6>(targets[i].offset, targets[i].addresses->v6, kDnsAaaa, kAdditionals);
    }
}

bool Answering::alias(const Subject& subject, std::string_view target) noexcept {
    const size_t begin = writer_.size();
    writer_.pointer(subject.offset);
    writer_.head(kDnsCname, kDnsTtlSeconds);
    const size_t data = writer_.begin_data();
    writer_.bytes(target);
    writer_.end_data(data);
    return keep(begin, kAnswers);
}

void Answering::server_name(const Subject& subject, std::string_view labels) noexcept {
    writer_.bytes(labels);
    if (subject.is_reverse) {
        writer_.bytes(std::string_view(zone_.identity().domain));
    } else {
        writer_.pointer(subject.offset + subject.name.offset(subject.zone_label));
    }
}

/// Writes the zone's SOA record, which goes with negative answers (RFC 2308 section 3).
void Answering::start_of_authority(const Subject& subject, Section section) noexcept {
    const size_t begin = writer_.size();
    writer_.pointer(subject.offset + subject.name.offset(subject.zone_label));
    writer_.head(kDnsSoa, kDnsTtlSeconds);
    const size_t data = writer_.begin_data();
    server_name(subject, kServerLabels);
    server_name(subject, "\12hostmaster");
    writer_.u32(zone_.serial());
    for (const uint32_t timer : kSoaTimers) writer_.u32(timer);
    writer_.end_data(data);
    keep(begin, section);
}

Answering::Found Answering::apex(const Subject& subject) noexcept {
    const uint16_t before = added_[kAnswers];
    if (query_.type == kDnsSoa) start_of_authority(subject, kAnswers);
    if (wants(kDnsNs)) {
        const size_t begin = writer_.size();
        writer_.pointer(subject.offset);
        writer_.head(kDnsNs, kDnsTtlSeconds);
        const size_t data = writer_.begin_data();
        server_name(subject, kServerLabels);
        writer_.end_data(data);
        keep(begin, kAnswers);
    }
    return found_since(before);
}

Answering::Found Answering::below_service(const Subject& subject, const DnsService& service,
                                          unsigned labels) noexcept {
    const auto has_port = [&](uint8_t protocol) {
        return std::ranges::any_of(service.ports,
                                   [&](const DnsServicePort& p) { return p.protocol == protocol; });
    };
    const std::string_view first = subject.name.label(0);
    if (labels == 1) {
        if (const DnsHost* host = service.find_host(first)) {
            return addresses(subject.offset, host->addresses);
        }
        const uint8_t protocol = protocol_of(first);
        return protocol != 0 && has_port(protocol) ? Found::kNoData : Found::kNxDomain;
    }
    if (labels != 2 || first.size() < 2 || first[0] != '_') return Found::kNxDomain;
    const uint8_t protocol = protocol_of(subject.name.label(1));
    struct Key {
        std::string_view name;
        uint8_t protocol;
    };
    const auto is_before = [](const auto& a, const auto& b) {
        const auto order = std::string_view(a.name) <=> std::string_view(b.name);
        return order == 0 ? a.protocol < b.protocol : order < 0;
    };
    const auto [begin, end] = std::equal_range(service.ports.begin(), service.ports.end(),
                                               Key{first.substr(1), protocol}, is_before);
    if (begin == end) return Found::kNxDomain;
    if (!wants(kDnsSrv)) return Found::kNoData;
    service_ports(subject, service, {begin, end});
    return Found::kRecords;
}

Answering::Found Answering::in_services(const Subject& subject, unsigned labels) noexcept {
    const DnsName& name = subject.name;
    if (labels == 0) return Found::kNoData;
    if (labels == 1) {
        return zone_.has_namespace(name.slice(0, 1)) ? Found::kNoData : Found::kNxDomain;
    }
    const DnsService* service = zone_.find_service(name.slice(labels - 2, labels));
    if (service == nullptr) return Found::kNxDomain;
    if (labels > 2) {
        return service->alias.empty() ? below_service(subject, *service, labels - 2)
                                      : Found::kNxDomain;
    }
    if (service->alias.empty()) return addresses(subject.offset, service->addresses);
    alias_target_ = service->alias;
    if (!alias(subject, service->alias) || wants(kDnsCname)) return Found::kRecords;
    return Found::kAlias;
}

/// Section 2.6 of the specification: every address has such a name, in every namespace.
Answering::Found Answering::in_pods(const Subject& subject, unsigned labels) noexcept {
    if (labels < 2) return Found::kNoData;
    if (labels > 2) return Found::kNxDomain;
    const auto address = parse_dashed_address(subject.name.label(0));
    if (!address) return Found::kNxDomain;
    const uint16_t type = address->is_v4() ? kDnsA : kDnsAaaa;
    if (!wants(type)) return Found::kNoData;
    const size_t begin = writer_.size();
    writer_.pointer(subject.offset);
    writer_.head(type, kDnsTtlSeconds);
    const size_t data = writer_.begin_data();
    writer_.bytes(address->is_v4() ? dns_address_key(address->as<V4>())
                                   : dns_address_key(address->as<V6>()));
    writer_.end_data(data);
    keep(begin, kAnswers);
    return Found::kRecords;
}

Answering::Found Answering::in_reverse(Subject& subject) noexcept {
    const auto said = parse_reverse_name(subject.name);
    if (!said) return Found::kElsewhere;
    subject.is_reverse = true;
    const IpPrefix* owner = nullptr;
    for (const IpPrefix& prefix : zone_.identity().reverse) {
        if (said->bits >= reverse_zone_bits(prefix) && prefix.contains(said->address)) {
            owner = &prefix;
            break;
        }
    }
    if (owner != nullptr) {
        const unsigned step = owner->address.is_v4() ? 8 : 4;
        subject.zone_label = subject.name.labels() - 2 - reverse_zone_bits(*owner) / step;
    }
    const DnsPointers* pointers = nullptr;
    if (said->is_whole()) {
        pointers =
            zone_.find_pointers(said->address.is_v4() ? dns_address_key(said->address.as<V4>())
                                                      : dns_address_key(said->address.as<V6>()));
    }
    if (pointers == nullptr) {
        if (owner == nullptr) return Found::kElsewhere;
        if (said->is_more || said->is_whole()) return Found::kNxDomain;
        if (query_.type != kDnsSoa || subject.zone_label != 0) return Found::kNoData;
        start_of_authority(subject, kAnswers);
        return Found::kRecords;
    }
    if (!wants(kDnsPtr)) return Found::kNoData;
    for (const std::string& name : pointers->names) {
        const size_t begin = writer_.size();
        writer_.pointer(subject.offset);
        writer_.head(kDnsPtr, kDnsTtlSeconds);
        const size_t data = writer_.begin_data();
        writer_.bytes(std::string_view(name));
        writer_.end_data(data);
        if (!keep(begin, kAnswers)) break;
    }
    return Found::kRecords;
}

Answering::Found Answering::in_domain(const Subject& subject, unsigned labels) noexcept {
    if (labels == 0) return apex(subject);
    const std::string_view last = subject.name.label(labels - 1);
    if (last == "svc") return in_services(subject, labels - 1);
    if (last == "pod") return in_pods(subject, labels - 1);
    if (last == "dns" && labels == 1) return Found::kNoData;
    if (last == "dns" && labels == 2 && subject.name.label(0) == "ns") {
        return addresses(subject.offset, zone_.identity().servers);
    }
    if (last != "dns-version" || labels > 1) return Found::kNxDomain;
    if (!wants(kDnsTxt)) return Found::kNoData;
    const size_t begin = writer_.size();
    writer_.pointer(subject.offset);
    writer_.head(kDnsTxt, kDnsTtlSeconds);
    const size_t data = writer_.begin_data();
    writer_.bytes(kSchemaVersion);
    writer_.end_data(data);
    keep(begin, kAnswers);
    return Found::kRecords;
}

Answering::Found Answering::look_up(Subject& subject) noexcept {
    const auto labels = subject.name.labels_before(zone_.identity().domain);
    if (!labels) return in_reverse(subject);
    subject.zone_label = *labels;
    return in_domain(subject, *labels);
}

DnsAnswer Answering::finish(DnsOutcome outcome, DnsRcode rcode) noexcept {
    size_t bytes = writer_.size();
    if (query_.has_edns) {
        DnsWriter opt(out_.subspan(bytes));
        put_opt(query_, opt, 0);
        bytes += opt.size();
        ++added_[kAdditionals];
    }
    const unsigned flags = kDnsAuthoritative | (truncated_ ? unsigned{kDnsTruncated} : 0u) |
                           static_cast<unsigned>(rcode);
    put_header(query_, out_, static_cast<uint16_t>(flags), true, added_);
    return {outcome, truncated_, bytes, {}};
}

DnsAnswer Answering::run(bool follow) noexcept {
    writer_.skip(sizeof(DnsHeader));  // written at the end
    put_question(query_, writer_);
    DnsName target;
    const DnsName* name = &query_.name;
    size_t offset = sizeof(DnsHeader);
    for (unsigned aliases = 0; aliases <= kMostAliases; ++aliases) {
        Subject subject{*name, offset};
        switch (look_up(subject)) {
            case Found::kRecords:
                return finish(DnsOutcome::kAnswer, DnsRcode::kNoError);
            case Found::kNoData:
                start_of_authority(subject, kAuthorities);
                return finish(aliases > 0 ? DnsOutcome::kAnswer : DnsOutcome::kNoData,
                              DnsRcode::kNoError);
            case Found::kNxDomain:
                start_of_authority(subject, kAuthorities);
                return finish(DnsOutcome::kNxDomain, DnsRcode::kNxDomain);
            case Found::kElsewhere:
                if (aliases > 0 && !(follow && query_.recursion_desired())) {
                    return finish(DnsOutcome::kAnswer, DnsRcode::kNoError);
                }
                return {DnsOutcome::kForward, false, 0, alias_target_};
            case Found::kAlias:
                // The alias's data end where the writer is, and hold the next name.
                offset = writer_.size() - alias_target_.size();
                target.assign(alias_target_);
                name = &target;
                break;
        }
    }
    return {DnsOutcome::kServFail, false, write_dns_error(query_, DnsRcode::kServFail, out_), {}};
}

}  // namespace

size_t write_dns_error(const DnsQuery& query, DnsRcode rcode, std::span<uint8_t> out) noexcept {
    DnsWriter writer(out);
    writer.skip(sizeof(DnsHeader));  // written at the end
    const bool has_question = query.class_ != 0;
    if (has_question) put_question(query, writer);
    const auto code = static_cast<uint8_t>(rcode);
    if (query.has_edns) put_opt(query, writer, code >> 4);
    put_header(query, out, code & kDnsRcodeMask, has_question,
               {0, 0, static_cast<uint16_t>(query.has_edns ? 1 : 0)});
    return writer.size();
}

DnsAnswer answer_dns_query(const DnsZone& zone, const DnsQuery& query, std::span<uint8_t> out,
                           uint32_t turn, bool follow) noexcept {
    const auto refuse = [&](DnsOutcome outcome, DnsRcode rcode) -> DnsAnswer {
        return {outcome, false, write_dns_error(query, rcode, out), {}};
    };
    if (query.has_edns && query.edns_version != 0) {
        return refuse(DnsOutcome::kBadVersion, DnsRcode::kBadVersion);
    }
    const bool is_transfer = query.type == kDnsAxfr || query.type == kDnsIxfr;
    if (query.class_ != kDnsClassIn || is_transfer) {
        return refuse(DnsOutcome::kRefused, DnsRcode::kRefused);
    }
    return Answering(zone, query, out, turn).run(follow);
}

}  // namespace podlane
