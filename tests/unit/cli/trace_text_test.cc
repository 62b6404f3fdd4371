#include "control/cli/trace_text.h"

#include <gtest/gtest.h>

#include "control/cli/probe_reader.h"
#include "control/kube/base64.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

/// An Ethernet, IPv4 and UDP header: 10.0.0.1:7 > 10.0.0.2:PORT.
std::string frame(char port) {
    std::string bytes(42, '\0');
    bytes[12] = 8;
    bytes[14] = 0x45;
    bytes[17] = 28;
    bytes[22] = 64;
    bytes[23] = 17;
    bytes.replace(26, 4, "\x0a\0\0\x01", 4);
    bytes.replace(30, 4, "\x0a\0\0\x02", 4);
    bytes[35] = 7;
    bytes[37] = port;
    bytes[39] = 8;
    uint32_t sum = 0;
    for (size_t i = 14; i < 34; i += 2) {
        sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i]) << 8 |
                                     static_cast<uint8_t>(bytes[i + 1]));
    }
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    bytes[24] = static_cast<char>(sum >> 8);
    bytes[25] = static_cast<char>(sum & 0xff);
    return bytes;
}

Json record(uint64_t packet, const char* stage, const char* verdict, char port) {
    Json out{{"packet", packet}, {"timeNs", 1'000'000'000'000'123'000U},
             {"worker", 1U},     {"inPort", "default/web"},
             {"wireBytes", 42U}, {"bytes", to_base64(frame(port))}};
    if (*stage != '\0') {
        out["stage"] = stage;
        out["verdict"] = verdict;
        out["cycles"] = 123U;
        out["burst"] = 2U;
    }
    return out;
}

TEST(TraceText, RecordsOfOnePacketComeTogether) {
    TraceAssembler assembler;
    EXPECT_FALSE(assembler.add(record(1, "", "", 53)));
    EXPECT_FALSE(assembler.add(record(2, "", "", 53)));
    EXPECT_FALSE(assembler.add(record(1, "parse", "look up", 53)));
    Json last = record(1, "tx", "send", 53);
    last["bytes"] = "";
    const auto whole = assembler.add(last);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->size(), 3u);
}

TEST(TraceText, DroppedPacketsAndThosePutAsideGoNoFurther) {
    TraceAssembler assembler;
    for (const char* verdict : {"drop", "taken"}) {
        EXPECT_FALSE(assembler.add(record(1, "", "", 53)));
        const auto whole = assembler.add(record(1, "slow_path", verdict, 53));
        ASSERT_TRUE(whole) << verdict;
        EXPECT_EQ(whole->size(), 2u);
    }
}

TEST(TraceText, StagesSayWhatTheyDecidedAndWrote) {
    Json slow = record(1, "lookup", "slow path", 53);
    slow["slow"] = "no flow yet";
    Json forward = record(1, "forward", "send", 80);
    forward["outPort"] = "uplink0";
    forward["flow"] = "UDP 10.0.0.1:7 > 10.0.0.2:53";
    forward["replies"] = "UDP 10.0.0.2:80 > 10.0.0.1:7";
    forward["service"] = "shop/dns";
    const std::string text = trace_text({record(1, "", "", 53), slow, forward}, 1);
    EXPECT_EQ(text,
              "packet 1  01:46:40.000123  worker 1  in by default/web\n"
              "  UDP 10.0.0.1:7 > 10.0.0.2:53, 42 bytes\n"
              "  lookup     slow path: no flow yet                  123 cycles for 2\n"
              "  forward    send by uplink0                         123 cycles for 2\n"
              "             destination 10.0.0.2:53 becomes 10.0.0.2:80\n"
              "  flow UDP 10.0.0.1:7 > 10.0.0.2:53 (shop/dns)\n"
              "  its replies UDP 10.0.0.2:80 > 10.0.0.1:7\n");
}

TEST(TraceText, OpenPacketsAreBounded) {
    TraceAssembler assembler;
    for (uint64_t i = 0; i < 5000; ++i) EXPECT_FALSE(assembler.add(record(i, "", "", 53)));
    // The first ones were forgotten: only the last record is there.
    EXPECT_EQ(assembler.add(record(0, "tx", "send", 53))->size(), 1u);
    EXPECT_EQ(assembler.add(record(4999, "tx", "send", 53))->size(), 2u);
}

TEST(FilterLines, AreThoseOfTcpdump) {
    // tcpdump -ddd arp
    EXPECT_EQ(filter_lines("arp").value(),
              (Json{"40 0 0 12", "21 0 1 2054", "6 0 0 65535", "6 0 0 0"}));
    EXPECT_FALSE(filter_lines("no such word").ok());
}

}  // namespace
}  // namespace podlane::control
