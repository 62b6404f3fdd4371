// The upstream resolvers and their health: a state machine without sockets or clock.
//
// The forwarder asks it which server to query, and reports the outcome. One thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "control/config/node_config.h"

namespace podlane::control {

/// An upstream resolver, and how it did.
struct Upstream {
    UpstreamDns server;
    bool is_healthy = true;
    unsigned failures_in_row = 0;
    bool has_edns = true;        ///< false: it has refused it, and is asked without (RFC 6891)
    uint64_t edns_again_ms = 0;  ///< then it is tried with it once more
    unsigned edns_silences = 0;  ///< questions that it answered without alone; since one with
    uint64_t probe_ms = 0;       ///< an unhealthy one is probed at this time
    uint64_t asked = 0;          ///< queries, probes included
    uint64_t failed = 0;         ///< of them, those that it did not answer
    uint64_t answer_us = 0;      ///< how long its last answer took
};

class Upstreams {
  public:
    /// So many failures in a row make a server unhealthy.
    static constexpr unsigned kFailures = 2;
    static constexpr uint64_t kProbeIntervalMs = 1000;
    /// So many questions in a row that it was silent to with EDNS, and answered without, are no
    /// losses any more.
    static constexpr unsigned kSilences = 2;
    /// How long a server counts as one without EDNS: it may get another program.
    static constexpr uint64_t kPlainMs = 3600 * 1000;

    /// The state of servers that stay is kept.
    void set(const std::vector<UpstreamDns>& servers);
    [[nodiscard]] const std::vector<Upstream>& all() const noexcept { return all_; }

    /// Whom to ask, one after the other: the healthy ones in their order, then the others, which
    /// may have recovered.
    [[nodiscard]] std::vector<UpstreamDns> order() const;
    void answered(const UpstreamDns& server, uint64_t took_us);
    /// No answer in time, or no server there.
    void failed(const UpstreamDns& server, uint64_t now_ms);
    /// Whether it is to be asked with EDNS.
    [[nodiscard]] bool has_edns(const UpstreamDns& server, uint64_t now_ms) noexcept;
    /// Whether an unhealthy one is to be probed without EDNS: each second time, as that or a
    /// firewall before it may be why it is silent.
    [[nodiscard]] bool probes_plainly(const UpstreamDns& server) noexcept;
    /// It answered a query with EDNS.
    void took_edns(const UpstreamDns& server) noexcept;
    /// It was silent to a query with EDNS, and answered one without.
    void silent_to_edns(const UpstreamDns& server, uint64_t now_ms) noexcept;
    /// It refused a query with EDNS and took the same one without.
    void lacks_edns(const UpstreamDns& server, uint64_t now_ms) noexcept;
    /// Unhealthy servers that are due for a probe; they are due again after another interval.
    [[nodiscard]] std::vector<UpstreamDns> due(uint64_t now_ms);

  private:
    [[nodiscard]] Upstream* find(const UpstreamDns& server) noexcept;

    std::vector<Upstream> all_;
};

/// The `nameserver` lines of a resolv.conf(5), in order; invalid addresses are left out.
[[nodiscard]] std::vector<UpstreamDns> parse_resolv_conf(std::string_view text);

}  // namespace podlane::control
