// The forwarder and its exchanges, against resolvers inside the test.
#include "control/dns/forwarder.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "tests/unit/name_server/support.h"

namespace podlane::control {
namespace {

using namespace std::chrono_literals;

uint64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

class Forwarder : public testing::Test {
  protected:
    struct Answer {
        bool is_there = false;
        std::shared_ptr<const DnsMessage> message;
        uint32_t age_s = 0;
    };
    /// Asks and waits, ten seconds at most.
    Answer ask(const DnsQuestion& about) {
        Answer out;
        start(about, out);
        wait(out);
        return out;
    }
    /// So many clients that none is above its share.
    static std::string client_of(size_t question) {
        return "10.244.2." + std::to_string(1 + question / DnsForwarder::kMostOfClient);
    }
    void start(const DnsQuestion& about, Answer& out, const char* client = "10.244.1.10") {
        forwarder_.ask(about, parse_ip(client).value(),
                       [&out](std::shared_ptr<const DnsMessage> message, uint32_t age_s) {
                           out = {true, std::move(message), age_s};
                       });
    }
    void wait(const Answer& out) {
        io_.restart();
        for (const auto end = std::chrono::steady_clock::now() + 10s;
             !out.is_there && std::chrono::steady_clock::now() < end;) {
            io_.run_one_for(100ms);
            io_.restart();
        }
        EXPECT_TRUE(out.is_there);
    }
    static TestUpstream::Answer addresses(unsigned count, uint32_t ttl = 60) {
        return [=](std::span<const uint8_t> query, bool) { return answer_to(query, count, ttl); };
    }
    static TestUpstream::Answer failing(unsigned flags) {
        return [=](std::span<const uint8_t> query, bool) { return answer_to(query, 0, 0, flags); };
    }
    static TestUpstream::Answer silent() {
        return [](std::span<const uint8_t>, bool) { return DnsBytes{}; };
    }

    boost::asio::io_context io_;
    DnsForwarder forwarder_{io_, now_us, 600ms};  // long for a busy machine, too
};

TEST_F(Forwarder, AnAnswerComesFromUpstreamAndThenFromTheCache) {
    TestUpstream upstream(addresses(2));
    forwarder_.set_servers({upstream.server()});
    const Answer first = ask(question("www.example.com"));
    ASSERT_NE(first.message, nullptr);
    EXPECT_EQ(first.message->lines().size(), 2u);
    const Answer second = ask(question("www.example.com"));
    EXPECT_EQ(second.message, first.message);
    EXPECT_EQ(upstream.asked(), 1u);
    EXPECT_EQ(forwarder_.counters().cache_hits, 1u);
    EXPECT_EQ(forwarder_.cached(), 1u);
}

TEST_F(Forwarder, EqualQuestionsInFlightShareAQuery) {
    TestUpstream upstream(addresses(1, 0));
    forwarder_.set_servers({upstream.server()});
    Answer first, second;
    start(question("www.example.com"), first);
    start(question("www.example.com"), second);
    wait(first);
    wait(second);
    EXPECT_EQ(first.message, second.message);
    EXPECT_EQ(upstream.asked(), 1u);
    EXPECT_EQ(forwarder_.counters().asked, 1u);
}

TEST_F(Forwarder, AClientWhoseNamesNobodyAnswersUsesUpItsOwnShare) {
    TestUpstream upstream([](std::span<const uint8_t> query, bool) {
        constexpr std::string_view kGood = "good";
        const bool is_good =
            std::search(query.begin(), query.end(), kGood.begin(), kGood.end()) != query.end();
        return is_good ? answer_to(query, 1) : DnsBytes{};
    });
    forwarder_.set_servers({upstream.server()});
    constexpr size_t kMost = DnsForwarder::kMostOfClient;
    std::vector<Answer> silent(kMost + 1);
    for (size_t i = 0; i < silent.size(); ++i) {
        start(question("n" + std::to_string(i) + ".silent"), silent[i]);
    }
    EXPECT_FALSE(silent[kMost - 1].is_there);
    EXPECT_TRUE(silent[kMost].is_there) << "refused at once";
    EXPECT_EQ(silent[kMost].message, nullptr);
    Answer others;
    start(question("good.example.com"), others, "10.244.1.11");
    wait(others);
    EXPECT_NE(others.message, nullptr);
    // What waited is given back in the end.
    for (const Answer& each : silent) wait(each);
    Answer own;
    start(question("good.example.org"), own);
    wait(own);
    EXPECT_NE(own.message, nullptr);
}

TEST_F(Forwarder, ACutAnswerIsFetchedByTcp) {
    TestUpstream upstream([](std::span<const uint8_t> query, bool is_tcp) {
        return is_tcp ? answer_to(query, 200) : answer_to(query, 0, 0, 0x8380);
    });
    forwarder_.set_servers({upstream.server()});
    const Answer answer = ask(question("big.example.com"));
    ASSERT_NE(answer.message, nullptr);
    EXPECT_EQ(answer.message->lines().size(), 200u);
    EXPECT_EQ(upstream.asked(), 2u);
}

/// A server without EDNS: `refuse` answers what has an OPT record, or more than one question's.
TestUpstream::Answer plain_server(std::function<DnsBytes(std::span<const uint8_t>)> refuse) {
    return [refuse = std::move(refuse)](std::span<const uint8_t> query, bool) {
        const bool has_opt = query[11] != 0;
        return has_opt ? refuse(query) : answer_to(query, 1);
    };
}

TEST_F(Forwarder, AServerWithoutEdnsIsAskedAgainWithoutAndFromThenOn) {
    for (const unsigned flags : {0x8181u, 0x8184u}) {
        for (const bool with_question : {true, false}) {
            TestUpstream old(plain_server([=](std::span<const uint8_t> query) {
                DnsBytes refusal = answer_to(query, 0, 0, flags);
                if (!with_question) {
                    refusal.resize(sizeof(DnsHeader));
                    refusal[5] = 0;
                }
                return refusal;
            }));
            forwarder_.set_servers({old.server()});
            const std::string name = std::to_string(flags) + (with_question ? "a" : "b");
            const Answer first = ask(question(name));
            ASSERT_NE(first.message, nullptr);
            EXPECT_EQ(first.message->lines().size(), 1u);
            EXPECT_EQ(old.asked(), 2u);
            EXPECT_NE(ask(question(name + "2")).message, nullptr);
            EXPECT_EQ(old.asked(), 3u) << "remembered";
            EXPECT_FALSE(forwarder_.upstreams().all()[0].has_edns);
            EXPECT_EQ(forwarder_.upstreams().all()[0].failed, 0u);
        }
    }
}

TEST_F(Forwarder, AServerThatIsSilentToEdnsIsAskedWithoutInTheNextRoundAndThenFromTheStart) {
    TestUpstream old(plain_server([](std::span<const uint8_t>) { return DnsBytes{}; }));
    forwarder_.set_servers({old.server()});
    EXPECT_NE(ask(question("a")).message, nullptr);
    EXPECT_EQ(old.asked(), 2u);
    EXPECT_TRUE(forwarder_.upstreams().all()[0].has_edns) << "a loss looks the same";
    EXPECT_NE(ask(question("b")).message, nullptr);
    EXPECT_EQ(old.asked(), 4u);
    EXPECT_FALSE(forwarder_.upstreams().all()[0].has_edns) << "twice is no loss";
    EXPECT_NE(ask(question("c")).message, nullptr);
    EXPECT_EQ(old.asked(), 5u) << "at once without";
}

// A question that another server answers never gets to the round without EDNS.
TEST_F(Forwarder, ASilentServerIsProbedWithoutEdnsAsWell) {
    TestUpstream old(plain_server([](std::span<const uint8_t>) { return DnsBytes{}; }));
    TestUpstream good(addresses(1));
    // Whose seconds between probes are short ones.
    DnsForwarder fast(
        io_, [] { return now_us() * 8; }, 300ms);
    fast.set_servers({old.server(), good.server()});
    unsigned questions = 0;
    const auto ask_fast = [&] {
        Answer out;
        fast.ask(question("q" + std::to_string(questions++)), parse_ip("10.244.1.10").value(),
                 [&out](std::shared_ptr<const DnsMessage> message, uint32_t age_s) {
                     out = {true, std::move(message), age_s};
                 });
        wait(out);
        EXPECT_NE(out.message, nullptr);
    };
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (fast.upstreams().all()[0].has_edns && std::chrono::steady_clock::now() < end) {
        ask_fast();
        fast.tick();
        io_.restart();
        io_.run_for(320ms);
    }
    EXPECT_FALSE(fast.upstreams().all()[0].has_edns);
    const size_t before = good.asked();
    ask_fast();
    EXPECT_EQ(good.asked(), before) << "the first server answers again";
}

TEST_F(Forwarder, AServerThatFindsEveryQueryMalformedIsNotTakenForOneWithoutEdns) {
    TestUpstream bad(failing(0x8181));
    forwarder_.set_servers({bad.server()});
    const Answer answer = ask(question("a"));
    ASSERT_NE(answer.message, nullptr);
    EXPECT_EQ(answer.message->rcode(), 1);
    EXPECT_TRUE(forwarder_.upstreams().all()[0].has_edns);
}

TEST_F(Forwarder, ASilentServerIsFollowedByTheNext) {
    TestUpstream quiet(silent()), good(addresses(1));
    forwarder_.set_servers({quiet.server(), good.server()});
    for (const char* name : {"a", "b", "c"}) {
        EXPECT_NE(ask(question(name)).message, nullptr);
    }
    EXPECT_FALSE(forwarder_.upstreams().all()[0].is_healthy);
    EXPECT_TRUE(forwarder_.upstreams().all()[1].is_healthy);
    EXPECT_EQ(quiet.asked(), 2u) << "the third question passes it over";
}

TEST_F(Forwarder, AProbeBringsAServerBack) {
    std::atomic<bool> is_quiet{true};
    TestUpstream moody([&](std::span<const uint8_t> query, bool) {
        return is_quiet ? DnsBytes{} : answer_to(query, 0);
    });
    TestUpstream good(addresses(1));
    forwarder_.set_servers({moody.server(), good.server()});
    (void)ask(question("a"));
    (void)ask(question("b"));
    ASSERT_FALSE(forwarder_.upstreams().all()[0].is_healthy);
    is_quiet = false;
    for (int i = 0; i < 500 && !forwarder_.upstreams().all()[0].is_healthy; ++i) {
        forwarder_.tick();
        std::this_thread::sleep_for(20ms);
        io_.restart();
        io_.poll();
    }
    EXPECT_TRUE(forwarder_.upstreams().all()[0].is_healthy);
}

TEST_F(Forwarder, AServerThatRefusesIsFollowedByTheNextAndItsWordCountsAtLast) {
    TestUpstream refusing(failing(0x8185)), failed(failing(0x8182)), good(addresses(1));
    forwarder_.set_servers({refusing.server(), failed.server(), good.server()});
    const Answer answer = ask(question("a"));
    ASSERT_NE(answer.message, nullptr);
    EXPECT_EQ(answer.message->rcode(), 0);
    forwarder_.set_servers({refusing.server(), failed.server()});
    const Answer last = ask(question("b"));
    ASSERT_NE(last.message, nullptr);
    EXPECT_EQ(last.message->rcode(), 2);
    EXPECT_TRUE(forwarder_.upstreams().all()[0].is_healthy) << "a server that answers is well";
    EXPECT_EQ(forwarder_.cached(), 1u) << "failures are not kept";
}

TEST_F(Forwarder, AnAnswerToAnotherQueryIsNotTaken) {
    TestUpstream liar([](std::span<const uint8_t> query, bool) {
        DnsBytes wrong(query.begin(), query.end());
        wrong[0] ^= 1;
        return answer_to(wrong, 1);
    });
    TestUpstream good(addresses(2));
    forwarder_.set_servers({liar.server(), good.server()});
    const Answer answer = ask(question("a"));
    ASSERT_NE(answer.message, nullptr);
    EXPECT_EQ(answer.message->lines().size(), 2u);
}

TEST_F(Forwarder, NobodyThereIsKnownAtOnce) {
    UpstreamDns nobody;
    {
        TestUpstream gone(silent());
        nobody = gone.server();
    }
    forwarder_.set_servers({nobody});
    const Answer answer = ask(question("a"));
    EXPECT_EQ(answer.message, nullptr);
    EXPECT_EQ(forwarder_.counters().failed, 1u);
    EXPECT_EQ(forwarder_.upstreams().all()[0].asked, DnsForwarder::kRounds);
}

TEST_F(Forwarder, QuestionsAboveTheMostInFlightAreRefusedUntilThereIsRoom) {
    rlimit files{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    constexpr size_t kMost = DnsForwarder::kMostInFlight;
    if (files.rlim_cur < kMost + 100) GTEST_SKIP() << "each needs a socket";
    // One that answers nothing until it is told to.
    std::atomic<bool> is_quiet{true};
    TestUpstream slow([&](std::span<const uint8_t> query, bool) {
        return is_quiet ? DnsBytes{} : answer_to(query, 1);
    });
    forwarder_.set_servers({slow.server()});
    std::vector<Answer> asked(kMost);
    for (size_t i = 0; i < kMost; ++i) {
        start(question("n" + std::to_string(i)), asked[i], client_of(i).c_str());
    }
    EXPECT_FALSE(asked.back().is_there);
    Answer refused, equal;
    start(question("one-more"), refused);
    EXPECT_TRUE(refused.is_there) << "at once";
    EXPECT_EQ(refused.message, nullptr);
    start(question("n0"), equal);
    EXPECT_FALSE(equal.is_there) << "a question that is under way may be waited for";
    EXPECT_EQ(forwarder_.counters().asked, kMost);
    is_quiet = false;
    wait(equal);
    for (const Answer& answer : asked) wait(answer);
    EXPECT_NE(ask(question("one-more")).message, nullptr) << "there is room again";
}

TEST_F(Forwarder, ClientsAboveTheMostThatMayWaitAreRefused) {
    std::atomic<bool> is_quiet{true};
    TestUpstream slow([&](std::span<const uint8_t> query, bool) {
        return is_quiet ? DnsBytes{} : answer_to(query, 1, 0);
    });
    forwarder_.set_servers({slow.server()});
    std::vector<Answer> waiting(DnsForwarder::kMostWaiting);
    for (size_t i = 0; i < waiting.size(); ++i) {
        start(question("a"), waiting[i], client_of(i).c_str());
    }
    Answer equal, other;
    start(question("a"), equal);
    start(question("b"), other);
    EXPECT_TRUE(equal.is_there && other.is_there) << "at once";
    EXPECT_TRUE(equal.message == nullptr && other.message == nullptr);
    EXPECT_EQ(forwarder_.counters().asked, 1u);
    is_quiet = false;
    wait(waiting.back());
    for (const Answer& each : waiting) EXPECT_NE(each.message, nullptr);
    EXPECT_NE(ask(question("b")).message, nullptr) << "there is room again";
}

TEST_F(Forwarder, WithoutServersNobodyIsAsked) {
    EXPECT_FALSE(forwarder_.has_servers());
    EXPECT_EQ(ask(question("a")).message, nullptr);
}

}  // namespace
}  // namespace podlane::control
