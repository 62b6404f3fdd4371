// Fuzz target: a DNS query as a worker gets it, and an upstream's answer as the server gets it.
//
// The first byte says which; for a query, the second one gives the room for the answer. The answer
// must be readable by libldns, fit the room, and be about the question.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "lib/dns/answer.h"
#include "tests/support/dns_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using namespace podlane;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

const DnsZone& zone() {
    static const std::shared_ptr<DnsZone> made = test::dns_world();
    return *made;
}

void check_reply(const DnsQuery& query, std::span<const uint8_t> bytes, bool has_question) {
    const test::DnsReply reply = test::read_dns(bytes);
    require(reply.readable, "libldns cannot read the answer");
    require(reply.id == query.id.host(), "another id");
    require(reply.has_edns == query.has_edns, "EDNS without being asked, or the other way round");
    require(reply.question.size() == (has_question ? 1 : 0), "the question is not repeated");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    const size_t room = kMinDnsUdpBytes + data[0] * 4u;
    const std::span<const uint8_t> message(data + 1, size - 1);
    DnsQuery query;
    const DnsParse parsed = parse_dns_query(message, query);
    if (parsed == DnsParse::kIgnore) return 0;
    const auto out = std::make_unique<uint8_t[]>(room);
    if (parsed != DnsParse::kOk) {
        const size_t bytes = write_dns_error(query, rcode_of(parsed), {out.get(), room});
        require(bytes <= room, "longer than its room");
        check_reply(query, {out.get(), bytes}, query.class_ != 0);
        return 0;
    }
    for (const bool follow : {true, false}) {
        const DnsAnswer answer =
            answer_dns_query(zone(), query, {out.get(), room}, data[0], follow);
        require(answer.bytes <= room, "longer than its room");
        if (answer.outcome == DnsOutcome::kForward) {
            require(answer.bytes == 0, "bytes of what is not answered");
            continue;
        }
        check_reply(query, {out.get(), answer.bytes}, query.class_ != 0);
    }
    return 0;
}
