// The comparison before a filter's program runs: no frame that the program would accept gets lost.
#include "dataplane/probe/filter_gist.h"

#include <gtest/gtest.h>
#include <pcap/bpf.h>

#include <random>
#include <span>
#include <string>

#include "control/capture/filter.h"
#include "tests/support/frames.h"
#include "tests/unit/dataplane/rig.h"

namespace podlane::dataplane {
namespace {

std::vector<FilterInstruction> compiled(const std::string& text) {
    auto program = control::compile_filter(text);
    EXPECT_TRUE(program.ok()) << text << ": " << program.error().message;
    return std::move(program).value();
}

bool takes(const std::vector<FilterInstruction>& program, const Frame& frame) {
    const auto bytes = static_cast<unsigned>(frame.size());
    return bpf_filter(reinterpret_cast<const bpf_insn*>(program.data()), frame.data(), bytes,
                      bytes) != 0;
}

const std::vector<std::string>& filters() {
    static const std::vector<std::string> kAll{
        "host 10.244.1.10",
        "src host 10.244.1.10 and dst host 10.96.0.10 and src port 4000 and dst port 80",
        "host 10.244.1.10 and port 80",
        "(host 10.244.1.10 or host 10.244.1.11 or host fd00:1::10) and tcp port 80",
        "net 10.96.0.0/12",
        "port 80",
        "tcp",
        "udp dst port 80 and host fd00:1::10",
        "not port 80",
        "arp or icmp or icmp6",
        "ether host 02:02:02:02:02:01",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "ip[8] < 5",
        "ip[0] & 0x0f != 5 and port 80",
        "portrange 79-81",
        "vlan 5 and host 10.244.1.10",
        "greater 100",
        "ether broadcast",
        "ip6 and tcp port 80",
        "host 10.244.1.10 and not host 10.96.0.10",
        "tcp[((tcp[12] & 0xf0) >> 2)] < 128",
    };
    return kAll;
}

/// Frames with few addresses and ports, and everything that can be between them.
class Frames {
  public:
    Frame next() {
        const bool v6 = roll(3) == 0;
        Frame out = mac();
        const auto more = [&](std::initializer_list<unsigned> bytes) {
            for (const unsigned byte : bytes) out.push_back(static_cast<uint8_t>(byte));
        };
        if (roll(8) == 0) more({0x81, 0x00, 0, roll(7)});
        const unsigned kind = roll(12);
        if (kind == 0)
            more({0x08, 0x06});
        else if (kind == 1)
            more({roll(256), roll(256)});
        else if (v6)
            more({0x86, 0xdd});
        else
            more({0x08, 0x00});
        const unsigned options = roll(4) == 0 ? roll(11) : 0;
        const unsigned protocol = std::array{6u, 17u, 1u, 58u, 132u, roll(256)}[roll(6)];
        if (v6) {
            more({0x60, 0, 0, 0, 0, 40, protocol, roll(8)});
            for (int i = 0; i < 2; ++i) {
                more({0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10 + roll(2)});
            }
        } else {
            more({0x40 + 5 + options, 0, 0, 60, 0, 0, roll(4) == 0 ? roll(256) : 0x40, 0, roll(8),
                  protocol, 0, 0});
            for (int i = 0; i < 2; ++i) {
                if (roll(2) == 0)
                    more({10, 244, 1, 10 + roll(2)});
                else
                    more({10, 96, 0, 10 + roll(2)});
            }
            for (unsigned i = 0; i < options; ++i) more({1, roll(256), 1, 80});
        }
        for (int i = 0; i < 2; ++i) {
            const unsigned port = std::array{80u, 4000u, 8080u, roll(65536)}[roll(4)];
            more({port >> 8, port & 0xff});
        }
        for (unsigned i = roll(80); i > 0; --i) more({roll(256)});
        return out;
    }

  private:
    unsigned roll(unsigned sides) {
        return std::uniform_int_distribution<unsigned>(0, sides - 1)(random_);
    }
    Frame mac() {
        if (roll(4) == 0) return Frame(12, 0xff);
        Frame out(12, 0x02);
        out[5] = static_cast<uint8_t>(roll(2));
        return out;
    }
    std::mt19937 random_{20261129};
};

TEST(FilterGist, NothingThatAProgramTakesIsLeftOut) {
    Frames frames;
    std::vector<std::vector<FilterInstruction>> programs;
    std::vector<FilterGist> gists;
    for (const std::string& text : filters()) {
        programs.push_back(compiled(text));
        gists.push_back(FilterGist::of(programs.back()));
    }
    std::vector<unsigned> taken(programs.size());
    for (unsigned i = 0; i < 20'000; ++i) {
        const Frame frame = frames.next();
        // Of a burst, the second packet has no frame any more.
        const std::span<const uint8_t> burst[] = {frame, {}, frame};
        const auto head_of = [&](size_t at) { return burst[at]; };
        for (size_t k = 0; k < programs.size(); ++k) {
            ASSERT_EQ(gists[k].may_pass_each(3, head_of), gists[k].may_pass(frame) ? 5u : 0u)
                << filters()[k];
            if (!takes(programs[k], frame)) continue;
            ++taken[k];
            ASSERT_TRUE(gists[k].may_pass(frame)) << filters()[k];
        }
    }
    for (size_t k = 0; k < programs.size(); ++k) EXPECT_GT(taken[k], 0u) << filters()[k];
}

Frame plain(const char* src, const char* dst, uint16_t src_port, uint16_t dst_port) {
    return test::frame()
        .eth(RigNames::kPodAMac, RigNames::kGatewayMac)
        .ip(src, dst)
        .udp(src_port, dst_port)
        .payload(40)
        .build();
}

TEST(FilterGist, OtherConnectionsAreToldApartWithoutTheProgram) {
    const auto one = FilterGist::of(compiled(
        "udp and src host 10.244.1.10 and dst host 10.96.0.10 and src port 4000 and dst port 80"));
    EXPECT_EQ(one.patterns(), 1u);
    EXPECT_TRUE(one.may_pass(plain("10.244.1.10", "10.96.0.10", 4000, 80)));
    EXPECT_FALSE(one.may_pass(plain("10.244.1.10", "10.96.0.10", 4001, 80)));
    EXPECT_FALSE(one.may_pass(plain("10.244.1.11", "10.96.0.10", 4000, 80)));
    const auto of_two = FilterGist::of(compiled(
        "udp and src host 10.244.1.10 and src port 4000 and (dst port 80 or dst port 81)"));
    EXPECT_EQ(of_two.patterns(), 1u) << "what they have in common tells enough";
    EXPECT_TRUE(of_two.may_pass(plain("10.244.1.10", "10.96.0.10", 4000, 81)));
    EXPECT_FALSE(of_two.may_pass(plain("10.244.1.10", "10.96.0.10", 4001, 81)));
    const auto both = FilterGist::of(compiled("host fd00:1::10 and port 80"));
    EXPECT_LE(both.patterns(), 4u);
    EXPECT_TRUE(both.may_pass(plain("fd00:1::10", "fd00:1::11", 4000, 80)));
    EXPECT_FALSE(both.may_pass(plain("fd00:1::12", "fd00:1::11", 4000, 80)));
    EXPECT_FALSE(both.may_pass(plain("10.244.1.10", "10.96.0.10", 4000, 80)));
}

TEST(FilterGist, WhatAsksForNothingInParticularLetsAllPass) {
    for (const char* text : {"", "greater 100", "ip[8] < 5 or ip6"}) {
        const auto program = compiled(text);
        const auto gist = FilterGist::of(program);
        EXPECT_TRUE(gist.may_pass(plain("fd00:1::12", "fd00:1::11", 4000, 80))) << text;
    }
    // Longer than any real filter.
    EXPECT_EQ(FilterGist::of(std::vector<FilterInstruction>(4096, {0x06, 0, 0, 0})).patterns(), 0u);
    EXPECT_TRUE(FilterGist::of(std::vector<FilterInstruction>(4096, {0x06, 0, 0, 0}))
                    .may_pass(plain("10.0.0.1", "10.0.0.2", 1, 2)));
}

}  // namespace
}  // namespace podlane::dataplane
