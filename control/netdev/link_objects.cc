#include "control/netdev/link_objects.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <thread>
#include <utility>

#include "control/netdev/rtnl.h"

namespace podlane::control {

namespace {

constexpr std::array kFamilies{AF_INET, AF_INET6};

struct Dump {
    std::vector<LinkRecord> records;
    uint64_t now_s = boot_seconds();
};

int note_record(nl_msg* message, void* into) {
    auto& dump = *static_cast<Dump*>(into);
    const nlmsghdr* head = nlmsg_hdr(message);
    const auto* body = static_cast<const uint8_t*>(nlmsg_data(head));
    const auto bytes = static_cast<size_t>(nlmsg_datalen(head));
    dump.records.push_back({head->nlmsg_type, dump.now_s, {body, body + bytes}});
    return NL_OK;
}

/// Routes that people, DHCP clients, routing programs and advertisements have made: the kernel's
/// own come and go with addresses.
bool is_wanted(const LinkRecord& record, int ifindex) {
    const auto route = route_view(record);
    return route && route->type == RTN_UNICAST && route->protocol != RTPROT_KERNEL &&
           route->protocol != RTPROT_REDIRECT && !route->out.empty() &&
           std::ranges::all_of(route->out, [&](int out) { return out == ifindex; });
}

}  // namespace

void LinkEditor::Close::operator()(nl_sock* socket) const noexcept {
    nl_socket_free(socket);
}

Result<LinkEditor> LinkEditor::open() {
    LinkEditor editor;
    editor.socket_.reset(nl_socket_alloc());
    if (!editor.socket_) return netlink_failure("netlink socket", -NLE_NOMEM);
    if (const int rc = nl_connect(editor.socket_.get(), NETLINK_ROUTE); rc < 0) {
        return netlink_failure("netlink socket", rc);
    }
    return editor;
}

Result<std::vector<LinkRecord>> LinkEditor::dump(uint16_t get, int family) {
    Dump dump;
    // The headers of all kinds begin with the family, and the rest may be zeros.
    std::array<uint8_t, sizeof(rtmsg)> head{static_cast<uint8_t>(family)};
    static_assert(sizeof(rtmsg) >= sizeof(ifaddrmsg) && sizeof(rtmsg) >= sizeof(ndmsg) &&
                  sizeof(rtmsg) >= sizeof(fib_rule_hdr));
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, note_record, &dump);
    int rc = nl_send_simple(socket_.get(), get, NLM_F_DUMP, head.data(), head.size());
    if (rc >= 0) rc = nl_recvmsgs_default(socket_.get());
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
    if (rc < 0) return netlink_failure("list what an interface has", rc);
    return std::move(dump.records);
}

Result<LinkObjects> LinkEditor::read(const LinkPlace& place) {
    LinkObjects out;
    const auto take = [&](uint16_t get, std::vector<LinkRecord>& into,
                          auto is_taken) -> Result<void> {
        for (const int family : kFamilies) {
            auto all = dump(get, family);
            if (!all.ok()) return all.error();
            std::ranges::copy_if(*all, std::back_inserter(into), is_taken);
        }
        return {};
    };
    if (auto done =
            take(RTM_GETADDR, out.addresses,
                 [&](const LinkRecord& each) { return interface_of(each) == place.ifindex; });
        !done.ok()) {
        return done.error();
    }
    if (auto done = take(RTM_GETNEIGH, out.neighbours,
                         [&](const LinkRecord& each) {
                             const auto view = neighbour_view(each);
                             return interface_of(each) == place.ifindex && view &&
                                    view->is_permanent;
                         });
        !done.ok()) {
        return done.error();
    }
    if (auto done = take(RTM_GETROUTE, out.routes,
                         [&](const LinkRecord& each) { return is_wanted(each, place.ifindex); });
        !done.ok()) {
        return done.error();
    }
    if (auto done = take(RTM_GETRULE, out.rules,
                         [&](const LinkRecord& each) { return is_rule_of(each, place.ifname); });
        !done.ok()) {
        return done.error();
    }
    return out;
}

int LinkEditor::send(uint16_t type, int flags, const std::vector<uint8_t>& body) {
    nl_msg* message = nlmsg_alloc_simple(type, flags);
    if (message == nullptr) return -NLE_NOMEM;
    if (nlmsg_append(message, const_cast<uint8_t*>(body.data()), body.size(), NLMSG_ALIGNTO) < 0) {
        nlmsg_free(message);
        return -NLE_NOMEM;
    }
    return nl_send_sync(socket_.get(), message);  // frees the message
}

Result<void> LinkEditor::put(const LinkRecord& record, const LinkMove& move) {
    const int is_new = NLM_F_CREATE | NLM_F_EXCL;
    int rc = send(record.type, is_new, moved_body(record, move));
    if (rc == -NLE_EXIST) return {};
    if (rc >= 0 && record.type == RTM_NEWADDR && move.skips_detection) {
        // It is usable now, and has no flag that it did not have before.
        LinkMove as_it_was = move;
        as_it_was.skips_detection = false;
        static_cast<void>(send(record.type, NLM_F_REPLACE, moved_body(record, as_it_was)));
    }
    return rc < 0 ? Result<void>(netlink_failure(to_text(record), rc)) : Result<void>();
}

Result<void> LinkEditor::remove(const LinkRecord& record, const LinkMove& move) {
    const auto type = static_cast<uint16_t>(record.type + 1);  // RTM_DEL* comes after RTM_NEW*
    const int rc = send(type, 0, moved_body(record, move));
    const bool is_gone = rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NOADDR || rc == -NLE_NODEV;
    return rc < 0 && !is_gone ? Result<void>(netlink_failure(to_text(record), rc)) : Result<void>();
}

std::vector<std::string> LinkEditor::put_all(const std::vector<LinkRecord>& records,
                                             const LinkMove& move) {
    std::vector<const LinkRecord*> left;
    for (const LinkRecord& record : records) left.push_back(&record);
    std::vector<std::string> failures;
    // A route's gateway may be reached by a later route.
    for (size_t before = left.size() + 1; !left.empty() && left.size() < before;) {
        before = left.size();
        failures.clear();
        std::erase_if(left, [&](const LinkRecord* record) {
            auto done = put(*record, move);
            if (!done.ok()) failures.push_back(done.error().message);
            return done.ok();
        });
    }
    return failures;
}

std::vector<std::string> LinkEditor::put_addresses(const std::vector<LinkRecord>& addresses,
                                                   const LinkMove& move) {
    const auto there = read(move.to);
    if (!there.ok()) return {there.error().message};
    std::vector<LinkRecord> later;
    for (const LinkRecord& each : there->addresses) {
        const auto other = address_view(each);
        const bool is_later = other && std::ranges::any_of(addresses, [&](const LinkRecord& one) {
                                  const auto view = address_view(one);
                                  return view && view->address.address.is_v4() &&
                                         !view->is_secondary && view->address != other->address &&
                                         view->address.subnet() == other->address.subnet();
                              });
        if (is_later && remove(each, move).ok()) later.push_back(each);
    }
    auto failures = put_all(addresses, move);
    std::ranges::move(put_all(later, move), std::back_inserter(failures));
    return failures;
}

void LinkEditor::await_advertised(const std::vector<LinkRecord>& routes, const LinkMove& move) {
    constexpr std::chrono::milliseconds kLookAgain{50};
    std::vector<LinkRecord> waiting;
    std::ranges::copy_if(routes, std::back_inserter(waiting), [](const LinkRecord& each) {
        const auto view = route_view(each);
        return view && view->protocol == RTPROT_RA;
    });
    for (std::chrono::milliseconds waited{0}; !waiting.empty() && waited < kMostWait;
         waited += kLookAgain) {
        const auto there = read(move.to);
        if (!there.ok()) return;
        std::erase_if(waiting, [&](const LinkRecord& each) {
            const bool came = std::ranges::any_of(there->routes, [&](const LinkRecord& route) {
                return is_same_object(each, route);
            });
            if (came) static_cast<void>(remove(each, move));
            return came;
        });
        if (!waiting.empty()) std::this_thread::sleep_for(kLookAgain);
    }
}

std::vector<std::string> move_to_host(const TakenLink& taken, const LinkPlace& to) {
    auto editor = LinkEditor::open();
    if (!editor.ok()) return {editor.error().message};
    const LinkMove move{.from = taken.place.ifname,
                        .to = to,
                        .now_s = boot_seconds(),
                        .behind_own_ra = taken.accept_ra != 0};
    std::vector<std::string> failures;
    for (const auto* records :
         {&taken.objects.neighbours, &taken.objects.routes, &taken.objects.rules}) {
        std::ranges::copy(editor->put_all(*records, move), std::back_inserter(failures));
    }
    return failures;
}

}  // namespace podlane::control
