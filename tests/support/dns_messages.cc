#include "tests/support/dns_messages.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>

#include "lib/dns/name.h"

namespace podlane::test {

namespace {

void put_u16(std::vector<uint8_t>& to, unsigned value) {
    to.push_back(static_cast<uint8_t>(value >> 8));
    to.push_back(static_cast<uint8_t>(value));
}

std::string text_of(const ldns_rr* record) {
    char* made = ldns_rr2str(record);
    std::string text = made != nullptr ? made : "?";
    std::free(made);
    std::replace(text.begin(), text.end(), '\t', ' ');
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

std::vector<std::string> texts_of(const ldns_rr_list* list) {
    std::vector<std::string> out;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
        out.push_back(text_of(ldns_rr_list_rr(list, i)));
    }
    return out;
}

std::string wire(std::string_view text) {
    return dns_name_from_text(text).value();
}

class Builder {
  public:
    explicit Builder(DnsZone& zone) : zone_(zone) {}

    void add(std::string_view name_space, std::string_view name, DnsService service) {
        std::sort(service.ports.begin(), service.ports.end());
        for (const DnsHost& host : service.hosts) {
            const std::string full = wire(host.label + "." + std::string(name) + "." +
                                          std::string(name_space) + ".svc.cluster.local");
            for (const auto& address : host.addresses.v4) zone_.add_pointer(address, full);
            for (const auto& address : host.addresses.v6) zone_.add_pointer(address, full);
        }
        zone_.set_service(*dns_label_from_text(name), *dns_label_from_text(name_space),
                          std::make_shared<const DnsService>(std::move(service)));
    }
    void alias(std::string_view name, std::string_view target) {
        DnsService service;
        service.alias = wire(target);
        add("shop", name, std::move(service));
    }

  private:
    DnsZone& zone_;
};

Ipv4Address ip4(std::string_view text) {
    return parse_ip(text).value().as<V4>();
}
Ipv6Address ip6(std::string_view text) {
    return parse_ip(text).value().as<V6>();
}

}  // namespace

std::vector<uint8_t> dns_query(std::string_view name, std::string_view type, const DnsAsk& ask) {
    std::vector<uint8_t> out;
    put_u16(out, ask.id);
    put_u16(out, (ask.recursion ? 0x0100u : 0u) | (ask.checking_disabled ? 0x0010u : 0u));
    put_u16(out, 1);
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, ask.edns_bytes != 0 ? 1 : 0);
    while (!name.empty()) {
        const size_t dot = name.find('.');
        const std::string_view label = name.substr(0, dot);
        out.push_back(static_cast<uint8_t>(label.size()));
        out.insert(out.end(), label.begin(), label.end());
        if (dot == std::string_view::npos) break;
        name.remove_prefix(dot + 1);
    }
    out.push_back(0);
    put_u16(out, ldns_get_rr_type_by_name(std::string(type).c_str()));
    put_u16(out, ask.class_);
    if (ask.edns_bytes != 0) {
        out.push_back(0);
        put_u16(out, 41);
        put_u16(out, ask.edns_bytes);
        put_u16(out, ask.edns_version);
        put_u16(out, ask.dnssec_ok ? 0x8000u : 0u);
        put_u16(out, 0);
    }
    return out;
}

DnsReply read_dns(std::span<const uint8_t> message) {
    DnsReply out;
    ldns_pkt* packet = nullptr;
    if (ldns_wire2pkt(&packet, message.data(), message.size()) != LDNS_STATUS_OK) return out;
    out.readable = true;
    out.id = ldns_pkt_id(packet);
    out.rcode = ldns_pkt_get_rcode(packet) | ldns_pkt_edns_extended_rcode(packet) << 4;
    out.authoritative = ldns_pkt_aa(packet);
    out.truncated = ldns_pkt_tc(packet);
    out.recursion_desired = ldns_pkt_rd(packet);
    out.recursion_available = ldns_pkt_ra(packet);
    out.checking_disabled = ldns_pkt_cd(packet);
    out.question = texts_of(ldns_pkt_question(packet));
    out.answer = texts_of(ldns_pkt_answer(packet));
    out.authority = texts_of(ldns_pkt_authority(packet));
    out.additional = texts_of(ldns_pkt_additional(packet));
    out.has_edns = ldns_pkt_edns(packet);
    out.dnssec_ok = ldns_pkt_edns_do(packet);
    out.edns_bytes = ldns_pkt_edns_udp_size(packet);
    ldns_pkt_free(packet);
    return out;
}

std::shared_ptr<DnsZone> dns_world() {
    auto zone = std::make_shared<DnsZone>(
        DnsZoneIdentity{wire("cluster.local"),
                        {{ip4("10.96.0.10")}, {ip6("fd96::a")}},
                        {*parse_prefix("10.244.0.0/16"), *parse_prefix("10.96.0.0/12"),
                         *parse_prefix("fd00::/16"), *parse_prefix("fd96::/112")}});
    Builder builder(*zone);
    DnsService web;
    web.addresses = {{ip4("10.96.0.20")}, {ip6("fd96::20")}};
    web.ports = {{"http", 6, 80}, {"dns", 17, 53}};
    builder.add("default", "web", web);
    zone->add_pointer(ip4("10.96.0.20"), wire("web.default.svc.cluster.local"));
    zone->add_pointer(ip6("fd96::20"), wire("web.default.svc.cluster.local"));
    DnsService db;
    db.hosts = {{"10-244-3-7", {{ip4("10.244.3.7")}, {}}},
                {"db-0", {{ip4("10.244.1.5")}, {ip6("fd00::5")}}},
                {"db-1", {{ip4("10.244.2.6")}, {}}}};
    db.addresses = {{ip4("10.244.1.5"), ip4("10.244.2.6"), ip4("10.244.3.7")}, {ip6("fd00::5")}};
    db.ports = {{"sql", 6, 3306, 0}, {"sql", 6, 3306, 1}, {"sql", 6, 3306, 2}};
    builder.add("default", "db", db);
    builder.alias("outside", "www.example.com");
    builder.alias("alias", "web.default.svc.cluster.local");
    builder.alias("gone", "nothing.default.svc.cluster.local");
    builder.alias("circle", "circle.shop.svc.cluster.local");
    DnsService many;
    for (uint32_t i = 0; i < 200; ++i) {
        const Ipv4Address address{be32(0x0af40900u + i)};
        many.hosts.push_back({"m-" + std::to_string(i), {{address}, {}}});
        many.addresses.v4.push_back(address);
    }
    std::sort(many.hosts.begin(), many.hosts.end(),
              [](const DnsHost& a, const DnsHost& b) { return a.label < b.label; });
    for (uint32_t i = 0; i < 200; ++i) many.ports.push_back({"x", 6, 1, i});
    builder.add("shop", "many", many);
    return zone;
}

}  // namespace podlane::test
