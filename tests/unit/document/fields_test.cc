#include "control/document/fields.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "control/document/reader.h"

namespace podlane::control {
namespace {

/// The errors that `check` reports about the text.
std::vector<std::string> errors_of(std::string_view text,
                                   const std::function<void(const Value&, Problems&)>& check) {
    std::vector<std::string> out;
    const DocumentHandler handler{[&](const Document& document) {
                                      Problems problems("t");
                                      problems.enter(document.root);
                                      check(document.root, problems);
                                      for (const Error& e : problems.errors()) {
                                          out.push_back(e.message);
                                      }
                                      return true;
                                  },
                                  nullptr};
    EXPECT_TRUE(read_documents(text, "t", handler).ok());
    return out;
}

using Errors = std::vector<std::string>;
constexpr IntegerRange kMtu{68, 65535, "an MTU"};

TEST(Fields, SaysWhereWhichValueAndWhatIsAllowed) {
    const auto check = [](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kLax);
        for (const Value& uplink : fields.list("uplinks")) {
            Fields(&uplink, problems, Keys::kLax).integer<uint16_t>("mtu", kMtu, 1500);
        }
    };
    EXPECT_EQ(
        errors_of(
            "uplinks:\n- mtu: 1500\n- {mtu: 70000}\n- {mtu: x}\n- {mtu: 99999999999999999999}\n",
            check),
        (Errors{"t:3:9: uplinks[1].mtu: 70000 is not an MTU (68-65535)",
                "t:4:9: uplinks[2].mtu: \"x\" is not an MTU (68-65535)",
                "t:5:9: uplinks[3].mtu: 99999999999999999999 is not an MTU (68-65535)"}));
}

TEST(Fields, ReportsWrongTypes) {
    const auto check = [](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kLax);
        EXPECT_EQ(fields.string("text", "none"), "none");
        EXPECT_EQ(fields.boolean("flag", true), true);
        EXPECT_TRUE(fields.list("list").empty());
        EXPECT_FALSE(fields.fields("map"));
        EXPECT_FALSE(fields.ip("ip"));
    };
    EXPECT_EQ(errors_of("text: 80\nflag: \"true\"\nlist: {}\nmap: []\nip: 1.2.3\n", check),
              (Errors{"t:1:7: text: 80 is not a string (put it in quotes)",
                      "t:2:7: flag: \"true\" is not true or false",
                      "t:3:7: list: a mapping is not a list", "t:4:6: map: a list is not a mapping",
                      "t:5:5: ip: \"1.2.3\" is not an IP address"}));
}

TEST(Fields, TakesNullForAbsent) {
    const auto check = [](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kStrict);
        EXPECT_FALSE(fields.has("a"));
        EXPECT_EQ(fields.string("b", "x"), "x");
        EXPECT_EQ(fields.get("c"), nullptr);
        EXPECT_FALSE(fields.fields("d").has("e"));
        fields.finish();
    };
    EXPECT_EQ(errors_of("a: ~\nb:\n", check), Errors{});
}

TEST(Fields, ReportsUnknownAndMissingKeys) {
    const auto check = [](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kStrict);
        fields.require("node", "this node's name");
        Fields pods = fields.fields("pods");
        pods.require("cidrs", "this node's pod CIDRs");
        pods.finish();
        fields.finish();
    };
    EXPECT_EQ(
        errors_of("nod: a\npods:\n  zebra: 1\n", check),
        (Errors{"t:1:1: node: missing: this node's name",
                "t:3:3: pods.cidrs: missing: this node's pod CIDRs",
                "t:3:3: pods.zebra: unknown key", "t:1:1: nod: unknown key; did you mean node?"}));
}

TEST(Fields, ReadsOneOfAFewWords) {
    constexpr auto kWords = std::to_array<Word<int>>({{"TCP", 6}, {"UDP", 17}, {"SCTP", 132}});
    const auto check = [&](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kLax);
        EXPECT_EQ(fields.word("a", kWords, 0), 17);
        EXPECT_EQ(fields.word("b", kWords, 6), 6);
        EXPECT_EQ(fields.word("absent", kWords, 132), 132);
    };
    EXPECT_EQ(errors_of("a: UDP\nb: tcp\n", check),
              Errors{"t:2:4: b: \"tcp\" is not TCP, UDP or SCTP"});
}

TEST(Fields, ReadsAddresses) {
    const auto check = [](const Value& root, Problems& problems) {
        Fields fields(&root, problems, Keys::kLax);
        EXPECT_EQ(to_string(as_prefix(*fields.get("p"), problems).value()), "10.0.0.0/8");
        EXPECT_EQ(to_string(as_interface_address(*fields.get("i"), problems).value()),
                  "10.0.0.1/8");
        EXPECT_EQ(to_string(as_mac(*fields.get("m"), problems).value()), "02:00:00:00:00:01");
        EXPECT_FALSE(as_prefix(*fields.get("i"), problems));
        EXPECT_FALSE(as_prefix(*fields.get("m"), problems));
        EXPECT_FALSE(as_interface_address(*fields.get("m"), problems));
        EXPECT_FALSE(as_mac(*fields.get("p"), problems));
        EXPECT_FALSE(as_mac(*fields.get("multicast"), problems));
    };
    EXPECT_EQ(
        errors_of(
            "p: 10.0.0.0/8\ni: 10.0.0.1/8\nm: 02:00:00:00:00:01\nmulticast: ff:ff:ff:ff:ff:ff\n",
            check),
        (Errors{
            "t:2:4: i: \"10.0.0.1/8\" has bits set behind its prefix length; meant is 10.0.0.0/8?",
            "t:3:4: m: \"02:00:00:00:00:01\" is not an address prefix such as 10.244.1.0/24",
            "t:3:4: m: \"02:00:00:00:00:01\" is not an address with a prefix length such as "
            "192.168.50.1/24",
            "t:1:4: p: \"10.0.0.0/8\" is not a MAC address such as 02:42:ac:11:00:02",
            "t:4:12: multicast: \"ff:ff:ff:ff:ff:ff\" is not a unicast MAC address"}));
}

TEST(Problems, NamesTheSubjectAndKeepsOneLine) {
    const auto check = [](const Value& root, Problems& problems) {
        problems.enter(root, "Service default/web");
        problems.add(root.members()[0].value, "wrong");
        problems.add(root, "also wrong");
        problems.add_missing(root, "kind", "missing");
    };
    EXPECT_EQ(
        errors_of("\"a\\nb\": 1\n", check),
        (Errors{"t:1:9: Service default/web: a?b: wrong", "t:1:1: Service default/web: also wrong",
                "t:1:1: Service default/web: kind: missing"}));
}

TEST(Problems, KeepsNoMoreThanItWasToldTo) {
    const Value root = Value::scalar(ValueType::kInteger, "1", 1, 1);
    Problems problems("t", 2);
    problems.enter(root);
    for (int i = 0; i < 5; ++i) problems.add(root, "wrong");
    EXPECT_TRUE(problems.full());
    EXPECT_EQ(problems.size(), 2U);
}

TEST(Shown, CutsLongTextAndEscapesControlCharacters) {
    EXPECT_EQ(in_quotes("a\nb"), "\"a\\x0ab\"");
    const std::string euros = [] {
        std::string text;
        for (int i = 0; i < 30; ++i) text += "\u20ac";
        return "x" + text;
    }();
    EXPECT_EQ(in_quotes(euros), "\"" + euros.substr(0, 58) + "...\"");
}

TEST(Closest, FindsAMisspeltWord) {
    constexpr auto kWords = std::to_array<std::string_view>({"uplinks", "overlay", "pods"});
    EXPECT_EQ(closest("uplink", kWords), "uplinks");
    EXPECT_EQ(closest("overaly", kWords), "overlay");
    EXPECT_EQ(closest("Pods", kWords), "pods");
    EXPECT_EQ(closest("zebra", kWords), "");
}

}  // namespace
}  // namespace podlane::control
