// Names outside of the cluster: from the cache, or from an upstream resolver that is well.
//
// Equal questions in flight share one query. Runs on the io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "control/dns/cache.h"
#include "control/dns/exchange.h"
#include "control/dns/upstreams.h"

namespace podlane::control {

/// What the forwarder did; numbers only grow.
struct ForwarderCounters {
    uint64_t cache_hits = 0;
    uint64_t asked = 0;   ///< questions that went upstream
    uint64_t failed = 0;  ///< of them, those without an answer
};

class DnsForwarder {
  public:
    /// Questions in flight; more are refused.
    static constexpr size_t kMostInFlight = 2048;
    /// Queries that wait for their answers; further ones are refused.
    static constexpr size_t kMostWaiting = 8192;
    /// The limit for one client, so that its unanswered names do not affect other clients.
    static constexpr size_t kMostOfClient = 256;
    /// After this no other server is tried: clients give up at 5 s.
    static constexpr uint64_t kGiveUpMs = 3500;
    /// Times that a silent server is asked the same, while the others are silent too.
    static constexpr size_t kRounds = 3;

    /// Null: no server answered.
    using Done = std::function<void(std::shared_ptr<const DnsMessage>, uint32_t age_s)>;

    /// `timeout`: how long one server is waited for.
    DnsForwarder(boost::asio::io_context& io, std::function<uint64_t()> now_us,
                 std::chrono::milliseconds timeout = std::chrono::milliseconds(1000))
        : io_(io), now_us_(std::move(now_us)), timeout_(timeout) {}

    void set_servers(const std::vector<UpstreamDns>& servers) { upstreams_.set(servers); }
    [[nodiscard]] bool has_servers() const noexcept { return !upstreams_.all().empty(); }
    /// `client`: the sender, which has a share of the waiting queries. `done` may be called from
    /// within this call.
    void ask(const DnsQuestion& question, const IpAddress& client, Done done);
    /// Probes unhealthy servers; some times a second.
    void tick();

    [[nodiscard]] const Upstreams& upstreams() const noexcept { return upstreams_; }
    [[nodiscard]] const ForwarderCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] size_t cached() const noexcept { return cache_.size(); }

  private:
    struct Waiting {
        IpAddress client;
        Done done;
    };
    /// One query to a server.
    struct Asked {
        UpstreamDns server;
        uint64_t at_us = 0;
        bool edns = false;
        bool is_plain_by_silence = false;  ///< without EDNS, as it did not answer one with it
    };
    struct InFlight {
        std::vector<Waiting> waiting;
        std::vector<UpstreamDns> order;
        size_t next = 0;  ///< in `order`, which is gone through more than once
        uint64_t give_up_ms = 0;
        std::shared_ptr<const DnsMessage> failure;  ///< SERVFAIL and the like, for want of better
    };

    [[nodiscard]] uint64_t now_ms() const { return now_us_() / 1000; }
    void try_next(const DnsQuestion& question);
    [[nodiscard]] Asked ask_now(const UpstreamDns& server, bool after_silence);
    void take(const DnsQuestion& question, const Asked& asked, DnsExchange::Outcome outcome);
    void note(const Asked& asked, const DnsExchange::Outcome& outcome);
    void finish(const DnsQuestion& question, const std::shared_ptr<const DnsMessage>& answer);

    boost::asio::io_context& io_;
    std::function<uint64_t()> now_us_;
    std::chrono::milliseconds timeout_;
    Upstreams upstreams_;
    DnsCache cache_;
    ForwarderCounters counters_;
    std::map<DnsQuestion, InFlight> in_flight_;
    size_t waiting_ = 0;  ///< over all of them
    std::map<IpAddress, size_t> waiting_of_;
};

}  // namespace podlane::control
