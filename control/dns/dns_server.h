// The NameServer: sockets in the port's network namespace, upstream queries from podlaned's own, on
// a thread of its own, so that names outside of the cluster do not wait while control compiles.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "control/config/node_config.h"
#include "control/dns/listeners.h"
#include "control/dns/name_server.h"

namespace podlane::control {

struct DnsServerOptions {
    /// Empty: those of `resolv_conf`, which is read again when it changes.
    std::optional<std::vector<UpstreamDns>> upstreams;
    std::string resolv_conf = "/etc/resolv.conf";
    uint16_t port = kDnsPort;  ///< where it listens; tests take another
    /// Called on the server's thread before it starts to work, to drop its privileges. On an error
    /// names are served anyway, and the log says so. May be empty.
    std::function<Result<void>()> confine = {};
};

/// Threads: made, used and destroyed on the control thread.
class DnsServer final : public NameServer {
  public:
    explicit DnsServer(DnsServerOptions options);
    ~DnsServer() override;

    Result<void> open(const std::string& netns_path,
                      const std::vector<IpAddress>& addresses) override;
    void set_zone(std::shared_ptr<const DnsZone> zone) override { zone_.set(std::move(zone)); }
    [[nodiscard]] NameServerStats stats() const override;

  private:
    void wait_for_tick();
    void tick();
    void read_resolv_conf();
    void publish_stats();

    const DnsServerOptions options_;
    std::vector<IpAddress> own_;  ///< where it listens: nobody to ask
    ZoneHolder zone_;
    boost::asio::io_context io_{1};
    boost::asio::steady_timer tick_{io_};
    DnsForwarder forwarder_;
    DnsResponder responder_;
    std::vector<std::unique_ptr<DnsUdpListener>> udp_;
    std::vector<std::unique_ptr<DnsTcpListener>> tcp_;
    std::optional<std::filesystem::file_time_type> resolv_conf_time_;  ///< as of the last reading
    unsigned ticks_ = 0;
    mutable std::mutex stats_mutex_;
    NameServerStats stats_;  ///< as of the last tick; under the mutex
    std::thread thread_;
};

}  // namespace podlane::control
