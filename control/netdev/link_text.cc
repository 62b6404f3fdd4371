// Addresses, routes, neighbours and rules of a LinkRecord in the words of ip(8).
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "control/netdev/link_record.h"

namespace podlane::control {

namespace {

std::string text_of(const AddressView& view) {
    std::string out = "address " + to_string(view.address);
    if (view.valid_s) out += fmt::format(" valid for {} s", *view.valid_s);
    return out;
}

std::string text_of(const RouteView& view) {
    std::string out = "route ";
    if (view.type == RTN_BLACKHOLE) out += "blackhole ";
    out += view.destination.length == 0 ? view.destination.address.is_v4() ? "default" : "::/0"
                                        : to_string(view.destination);
    if (view.from) out += " from " + to_string(*view.from);
    if (view.via) out += " via " + to_string(*view.via);
    if (view.out.size() > 1) out += fmt::format(" by {} next hops", view.out.size());
    if (view.preferred_source) out += " src " + to_string(*view.preferred_source);
    if (view.table != RT_TABLE_MAIN) out += fmt::format(" table {}", view.table);
    if (view.metric != 0) out += fmt::format(" metric {}", view.metric);
    if (view.protocol == RTPROT_RA) out += " of a router advertisement";
    if (view.lasts_s) out += fmt::format(" for {} s", *view.lasts_s);
    return out;
}

/// A rule has many selectors; its place and its table tell it apart.
std::string text_of_rule(const LinkRecord& record) {
    fib_rule_hdr head{};
    std::memcpy(&head, record.body.data(), sizeof(head));
    uint32_t table = head.table, preference = 0;
    for (size_t at = sizeof(head); at + sizeof(rtattr) <= record.body.size();) {
        rtattr each{};
        std::memcpy(&each, record.body.data() + at, sizeof(each));
        if (each.rta_len < sizeof(each) || at + each.rta_len > record.body.size()) break;
        const bool is_number = each.rta_len == sizeof(each) + sizeof(uint32_t);
        const uint8_t* value = record.body.data() + at + sizeof(each);
        if (each.rta_type == FRA_TABLE && is_number) std::memcpy(&table, value, sizeof(table));
        if (each.rta_type == FRA_PRIORITY && is_number) {
            std::memcpy(&preference, value, sizeof(preference));
        }
        at += RTA_ALIGN(each.rta_len);
    }
    return fmt::format("rule {} to table {}", preference, table);
}

}  // namespace

std::string to_text(const LinkRecord& record) {
    if (const auto address = address_view(record)) return text_of(*address);
    if (const auto route = route_view(record)) return text_of(*route);
    if (const auto neighbour = neighbour_view(record)) {
        return fmt::format("neighbour {} at {}", to_string(neighbour->address),
                           to_string(neighbour->mac));
    }
    if (record.type == RTM_NEWRULE && record.body.size() >= sizeof(fib_rule_hdr)) {
        return text_of_rule(record);
    }
    return "what is not understood";
}

}  // namespace podlane::control
