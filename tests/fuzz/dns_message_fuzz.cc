// Fuzz target: an upstream's message, which libldns reads, made into answers for clients.
#include <cstdio>
#include <cstdlib>

#include "control/dns/message.h"
#include "control/dns/upstreams.h"
#include "tests/support/dns_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace podlane;
    using namespace podlane::control;
    (void)parse_resolv_conf({reinterpret_cast<const char*>(data), size});
    const auto message = DnsMessage::parse({data, size});
    if (!message) return 0;
    DnsQuery query;
    (void)parse_dns_query(test::dns_query("www.example.com", "A", {.edns_bytes = 1232}), query);
    (void)message->answers(1, DnsQuestion::of(query));
    (void)message->lines();
    const uint32_t age = message->seconds_to_keep() / 2;
    for (const size_t limit : {kMinDnsUdpBytes, kMaxDnsUdpBytes, kMaxDnsMessage}) {
        const DnsBytes answer = make_client_answer(query, nullptr, *message, age, limit);
        if (answer.size() <= limit) continue;
        std::fprintf(stderr, "%zu bytes, more than %zu\n", answer.size(), limit);
        std::abort();
    }
    return 0;
}
