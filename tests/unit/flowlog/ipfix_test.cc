// IPFIX messages, read back by a small collector that knows nothing but RFC 7011.
#include "control/flowlog/ipfix.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/flowlog/flows.h"

namespace podlane::control {
namespace {

/// Values by information element; of one that stands twice the second is 1000 above its number.
using Record = std::map<unsigned, std::string>;

class Collector {
  public:
    void take(const std::string& message) {
        ASSERT_GE(message.size(), 16u);
        EXPECT_LE(message.size(), IpfixEncoder::kMostBytes);
        EXPECT_EQ(number(message, 0, 2), 10u) << "version";
        ASSERT_EQ(number(message, 2, 2), message.size());
        export_s = number(message, 4, 4);
        sequence = number(message, 8, 4);
        domain = number(message, 12, 4);
        for (size_t at = 16; at < message.size();) {
            const auto id = static_cast<unsigned>(number(message, at, 2));
            const size_t bytes = number(message, at + 2, 2);
            ASSERT_GE(bytes, 4u);
            ASSERT_LE(at + bytes, message.size());
            const std::string set = message.substr(at + 4, bytes - 4);
            if (id == 2) {
                take_templates(set);
            } else {
                take_records(id, set);
            }
            at += bytes;
        }
    }
    std::vector<Record> records;
    uint64_t export_s = 0, sequence = 0, domain = 0;
    std::map<unsigned, std::vector<std::pair<unsigned, size_t>>> templates;

    static uint64_t number(const std::string& from, size_t at, size_t bytes) {
        uint64_t out = 0;
        for (size_t i = 0; i < bytes; ++i) out = out << 8 | static_cast<uint8_t>(from.at(at + i));
        return out;
    }
    static uint64_t number(const std::string& value) { return number(value, 0, value.size()); }

  private:
    void take_templates(const std::string& set) {
        for (size_t at = 0; at < set.size();) {
            const auto id = static_cast<unsigned>(number(set, at, 2));
            const size_t count = number(set, at + 2, 2);
            EXPECT_GE(id, 256u);
            templates[id].clear();
            at += 4;
            for (size_t i = 0; i < count; ++i, at += 4) {
                const auto element = static_cast<unsigned>(number(set, at, 2));
                templates[id].emplace_back(element, number(set, at + 2, 2));
                if ((element & 0x8000) == 0) continue;
                EXPECT_EQ(number(set, at + 4, 4), 29305u) << "of RFC 5103";
                at += 4;
            }
        }
    }
    void take_records(unsigned id, const std::string& set) {
        ASSERT_TRUE(templates.contains(id)) << id;
        for (size_t at = 0; at < set.size();) {
            Record record;
            for (const auto& [element, length] : templates[id]) {
                size_t bytes = length;
                if (bytes == 65535) bytes = number(set, at++, 1);
                const unsigned key = record.contains(element) ? element + 1000 : element;
                record[key] = set.substr(at, bytes);
                at += bytes;
            }
            ASSERT_LE(at, set.size());
            records.push_back(std::move(record));
        }
    }
};

TEST(Ipfix, AStartHasBothSidesOfTheTranslationAndNames) {
    IpfixEncoder encoder(7);
    EXPECT_TRUE(encoder.templates_due(1000));
    Collector collector;
    collector.take(encoder.templates(1000));
    EXPECT_FALSE(encoder.templates_due(1001));
    ASSERT_TRUE(encoder.add(flow_to_service(FlowRecordKind::kOpened)));
    EXPECT_EQ(encoder.records(), 1u);
    collector.take(encoder.finish(5000));
    EXPECT_EQ(encoder.records(), 0u);
    EXPECT_EQ(collector.export_s, 5u);
    EXPECT_EQ(collector.domain, 7u);
    ASSERT_EQ(collector.records.size(), 1u);
    Record& record = collector.records[0];
    const auto value = [&record](unsigned element) { return Collector::number(record[element]); };
    EXPECT_EQ(value(323), 1'764'424'931'120u);
    EXPECT_EQ(value(152), 1'764'424'920'000u);
    EXPECT_EQ(value(4), 6u);
    EXPECT_EQ(value(8), 0x0af40105u);
    EXPECT_EQ(value(12), 0x0a60000au);
    EXPECT_EQ(value(7), 40000u);
    EXPECT_EQ(value(11), 80u);
    EXPECT_EQ(value(225), 0x0af40105u);
    EXPECT_EQ(value(226), 0x0af40207u);
    EXPECT_EQ(value(228), 8080u);
    EXPECT_EQ(value(230), 4u) << "NAT44 session create";
    EXPECT_EQ(value(233), 1u);
    EXPECT_EQ(value(89), 64u);
    EXPECT_EQ(record[96], "shop/web");
    EXPECT_EQ(record[82], "shop/a");
    EXPECT_EQ(record[350], "shop/a");
    EXPECT_EQ(record[1350], "shop/web-0");
}

TEST(Ipfix, AnEndSaysWhyAndADenialByWhom) {
    IpfixEncoder encoder(1);
    Collector collector;
    collector.take(encoder.templates(1000));
    LoggedFlow end = flow_to_service(FlowRecordKind::kClosed);
    end.tcp_state = TcpState::kTimeWait;
    ASSERT_TRUE(encoder.add(end));
    end.end = FlowEnd::kEvicted;
    end.translated_dst = end.dst;
    end.translated_dst_port = end.dst_port;
    ASSERT_TRUE(encoder.add(end));
    ASSERT_TRUE(encoder.add(denied_v6()));
    collector.take(encoder.finish(1000));
    ASSERT_EQ(collector.records.size(), 3u);
    auto& records = collector.records;
    EXPECT_EQ(Collector::number(records[0][136]), 3u) << "the end was seen";
    EXPECT_EQ(Collector::number(records[0][230]), 5u) << "NAT44 session delete";
    EXPECT_EQ(Collector::number(records[0][153]), 1'764'424'930'000u);
    EXPECT_EQ(Collector::number(records[1][136]), 5u) << "for lack of room";
    EXPECT_FALSE(records[1].contains(230)) << "nothing is translated";
    EXPECT_EQ(Collector::number(records[2][233]), 3u);
    EXPECT_EQ(Collector::number(records[2][89]), 129u);
    EXPECT_EQ(Collector::number(records[2][133]), 17u);
    EXPECT_EQ(records[2][335], "shop/deny,shop/web");
    EXPECT_EQ(records[2][27].size(), 16u);
}

TEST(Ipfix, AnEndHasWhatWasCarriedBothWaysWhereThatIsCounted) {
    IpfixEncoder encoder(1);
    Collector collector;
    collector.take(encoder.templates(1000));
    LoggedFlow end = flow_to_service(FlowRecordKind::kClosed);
    ASSERT_TRUE(encoder.add(end));
    end.traffic = FlowTraffic{{3, 2}, {uint64_t{5} << 32, 1700}};
    ASSERT_TRUE(encoder.add(end));
    end.src = end.translated_src = *parse_ip("fd00::5");
    end.dst = end.translated_dst = *parse_ip("fd00::7");
    ASSERT_TRUE(encoder.add(end));
    collector.take(encoder.finish(1000));
    ASSERT_EQ(collector.records.size(), 3u);
    EXPECT_FALSE(collector.records[0].contains(2));
    for (size_t i : {size_t{1}, size_t{2}}) {
        Record& record = collector.records[i];
        EXPECT_EQ(Collector::number(record[2]), 3u);
        EXPECT_EQ(Collector::number(record[1]), uint64_t{5} << 32);
        EXPECT_EQ(Collector::number(record[0x8002]), 2u);
        EXPECT_EQ(Collector::number(record[0x8001]), 1700u);
        EXPECT_EQ(Collector::number(record[136]), 1u);
    }
}

TEST(Ipfix, MessagesAreBoundedAndNumbered) {
    IpfixEncoder encoder(1);
    Collector collector;
    collector.take(encoder.templates(1000));
    unsigned added = 0, messages = 0;
    while (messages < 3) {
        LoggedFlow flow = added % 2 == 0 ? flow_to_service(FlowRecordKind::kOpened) : denied_v6();
        if (!encoder.add(flow)) {
            collector.take(encoder.finish(1000));
            ++messages;
            EXPECT_LT(collector.sequence, added) << "data records before this message";
            ASSERT_TRUE(encoder.add(flow));
        }
        ++added;
    }
    EXPECT_EQ(collector.records.size(), added - 1);
    LoggedFlow long_names = denied_v6();
    long_names.policies.assign(500, std::string(63, 'p'));
    IpfixEncoder other(1);
    ASSERT_TRUE(other.add(long_names));
    EXPECT_LE(other.finish(1000).size(), IpfixEncoder::kMostBytes);
}

TEST(Ipfix, TemplatesAreSentAgain) {
    IpfixEncoder encoder(1);
    (void)encoder.templates(1000);
    EXPECT_FALSE(encoder.templates_due(1000 + IpfixEncoder::kTemplatesMs - 1));
    EXPECT_TRUE(encoder.templates_due(1000 + IpfixEncoder::kTemplatesMs));
    encoder.forget_templates();
    EXPECT_TRUE(encoder.templates_due(1001));
}

}  // namespace
}  // namespace podlane::control
