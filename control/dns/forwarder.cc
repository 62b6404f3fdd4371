#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/forwarder.h"

#include <algorithm>

namespace podlane::control {

namespace {

/// Whether another server may do better: this one could not answer, or refused.
bool is_failure(const DnsMessage& answer) {
    const int rcode = answer.rcode();
    return rcode != static_cast<int>(DnsRcode::kNoError) &&
           rcode != static_cast<int>(DnsRcode::kNxDomain);
}

/// ". NS": every resolver can answer it.
DnsQuestion probe() {
    return {std::string(1, '\0'), kDnsNs, false, false};
}

}  // namespace

void DnsForwarder::ask(const DnsQuestion& question, const IpAddress& client, Done done) {
    if (const auto found = cache_.find(question, now_ms()); found.message) {
        ++counters_.cache_hits;
        done(found.message, found.age_s);
        return;
    }
    const auto own = waiting_of_.find(client);
    const bool has_its_share = own != waiting_of_.end() && own->second >= kMostOfClient;
    if (waiting_ >= kMostWaiting || has_its_share) {
        done(nullptr, 0);
        return;
    }
    if (const auto at = in_flight_.find(question); at != in_flight_.end()) {
        at->second.waiting.push_back({client, std::move(done)});
        ++waiting_;
        ++waiting_of_[client];
        return;
    }
    if (!has_servers() || in_flight_.size() >= kMostInFlight) {
        done(nullptr, 0);
        return;
    }
    ++counters_.asked;
    ++waiting_;
    ++waiting_of_[client];
    InFlight flight;
    flight.waiting.push_back({client, std::move(done)});
    flight.order = upstreams_.order();
    flight.give_up_ms = now_ms() + kGiveUpMs;
    in_flight_.emplace(question, std::move(flight));
    try_next(question);
}

void DnsForwarder::try_next(const DnsQuestion& question) {
    InFlight& flight = in_flight_.at(question);
    // A silent server may be so because of EDNS, or because of a firewall before it.
    const bool is_first_round = flight.next < flight.order.size();
    const Asked asked = ask_now(flight.order[flight.next++ % flight.order.size()], !is_first_round);
    DnsExchange::start(io_, asked.server, question, {timeout_, asked.edns},
                       [this, question, asked](DnsExchange::Outcome outcome) {
                           take(question, asked, std::move(outcome));
                       });
}

DnsForwarder::Asked DnsForwarder::ask_now(const UpstreamDns& server, bool after_silence) {
    const bool has_edns = upstreams_.has_edns(server, now_ms());
    return {server, now_us_(), has_edns && !after_silence, has_edns && after_silence};
}

void DnsForwarder::note(const Asked& asked, const DnsExchange::Outcome& outcome) {
    if (!outcome.answer) {
        upstreams_.failed(asked.server, now_ms());
        return;
    }
    upstreams_.answered(asked.server, now_us_() - asked.at_us);
    if (outcome.lacks_edns) {
        upstreams_.lacks_edns(asked.server, now_ms());
    } else if (asked.edns) {
        upstreams_.took_edns(asked.server);
    } else if (asked.is_plain_by_silence) {
        upstreams_.silent_to_edns(asked.server, now_ms());
    }
}

void DnsForwarder::take(const DnsQuestion& question, const Asked& asked,
                        DnsExchange::Outcome outcome) {
    InFlight& flight = in_flight_.at(question);
    note(asked, outcome);
    std::optional<DnsMessage>& answer = outcome.answer;
    if (answer && !is_failure(*answer)) {
        const auto kept = std::make_shared<const DnsMessage>(std::move(*answer));
        cache_.insert(question, kept, kept->seconds_to_keep(), now_ms());
        finish(question, kept);
        return;
    }
    if (answer) flight.failure = std::make_shared<const DnsMessage>(std::move(*answer));
    // Each server is asked once, and again only if none of them answered at all.
    const size_t rounds = flight.failure ? 1 : kRounds;
    const bool all_asked = flight.next >= rounds * flight.order.size();
    if (all_asked || now_ms() >= flight.give_up_ms) {
        finish(question, flight.failure);
    } else {
        try_next(question);
    }
}

void DnsForwarder::finish(const DnsQuestion& question,
                          const std::shared_ptr<const DnsMessage>& answer) {
    auto node = in_flight_.extract(question);
    if (!answer) ++counters_.failed;
    waiting_ -= node.mapped().waiting.size();
    for (const Waiting& each : node.mapped().waiting) {
        const auto own = waiting_of_.find(each.client);
        if (--own->second == 0) waiting_of_.erase(own);
    }
    for (const Waiting& each : node.mapped().waiting) each.done(answer, 0);
}

void DnsForwarder::tick() {
    for (const UpstreamDns& server : upstreams_.due(now_ms())) {
        const Asked asked = ask_now(server, upstreams_.probes_plainly(server));
        DnsExchange::start(
            io_, server, probe(), {timeout_, asked.edns},
            [this, asked](const DnsExchange::Outcome& outcome) { note(asked, outcome); });
    }
}

}  // namespace podlane::control
