#include <utility>  // Boost 1.74 uses std::exchange without it

#include "control/dns/dns_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "control/netdev/netns.h"
#include "control/netdev/unique_fd.h"
#include "lib/base/capabilities.h"

namespace podlane::control {

namespace {

constexpr std::chrono::milliseconds kTick{100};
/// resolv.conf is checked once in this many ticks.
constexpr unsigned kResolvConfTicks = 10;
constexpr int kBacklog = 128;

uint64_t monotonic_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

/// A socket bound to the address in the calling thread's namespace; TCP listens.
Result<UniqueFd> bound_socket(int type, const IpAddress& address, uint16_t port) {
    const auto failed = [&](const char* call) {
        return Error{
            fmt::format("{}: {}: {}", to_string(address, port), call, std::strerror(errno))};
    };
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    UniqueFd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return failed("socket");
    const int on = 1;
    if (type == SOCK_STREAM) {
        (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    const auto endpoint = asio_endpoint<boost::asio::ip::udp::endpoint>(address, port);
    if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
        return failed("bind");
    }
    if (type == SOCK_STREAM && ::listen(fd.get(), kBacklog) != 0) return failed("listen");
    return fd;
}

}  // namespace

DnsServer::DnsServer(DnsServerOptions options)
    : options_(std::move(options)), forwarder_(io_, monotonic_us), responder_(zone_, forwarder_) {}

DnsServer::~DnsServer() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
}

Result<void> DnsServer::open(const std::string& netns_path,
                             const std::vector<IpAddress>& addresses) {
    struct Pair {
        UniqueFd udp, tcp;
    };
    std::vector<Pair> sockets;
    auto opened = in_network_namespace(netns_path, [&]() -> Result<void> {
        for (const IpAddress& address : addresses) {
            auto udp = bound_socket(SOCK_DGRAM, address, options_.port);
            if (!udp.ok()) return udp.error();
            auto tcp = bound_socket(SOCK_STREAM, address, options_.port);
            if (!tcp.ok()) return tcp.error();
            sockets.push_back({std::move(*udp), std::move(*tcp)});
        }
        return {};
    });
    if (!opened.ok()) return opened;
    own_ = addresses;
    for (size_t i = 0; i < addresses.size(); ++i) {
        const bool is_v6 = addresses[i].is_v6();
        udp_.push_back(
            std::make_unique<DnsUdpListener>(io_, sockets[i].udp.release(), is_v6, responder_));
        tcp_.push_back(
            std::make_unique<DnsTcpListener>(io_, sockets[i].tcp.release(), is_v6, responder_));
        udp_.back()->start();
        tcp_.back()->start();
    }
    if (options_.upstreams) {
        forwarder_.set_servers(*options_.upstreams);
    } else {
        read_resolv_conf();
    }
    publish_stats();
    wait_for_tick();
    // Only the control thread handles signals.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "podlane-dns");
        // It reads data from untrusted clients, on sockets that are already open.
        drop_thread_capabilities();
        if (options_.confine) {
            if (auto confined = options_.confine(); !confined.ok()) {
                spdlog::warn("dns: its thread is not confined: {}", confined.error().message);
            }
        }
        io_.run();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
}

void DnsServer::wait_for_tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([this](const boost::system::error_code& failed) {
        if (failed) return;
        tick();
        wait_for_tick();
    });
}

void DnsServer::tick() {
    if (!options_.upstreams && ++ticks_ % kResolvConfTicks == 0) read_resolv_conf();
    forwarder_.tick();
    publish_stats();
}

void DnsServer::read_resolv_conf() {
    std::error_code gone;
    auto time = std::filesystem::last_write_time(options_.resolv_conf, gone);
    if (gone) time = std::filesystem::file_time_type::max();
    if (time == resolv_conf_time_) return;
    resolv_conf_time_ = time;
    std::ostringstream text;
    text << std::ifstream(options_.resolv_conf).rdbuf();
    auto servers = parse_resolv_conf(text.str());
    // If the host itself resolves through the cluster, do not ask it back.
    std::erase_if(servers, [this](const UpstreamDns& server) {
        return std::find(own_.begin(), own_.end(), server.address) != own_.end();
    });
    if (servers.empty()) {
        spdlog::warn("dns: no upstream server in {}: names outside of the cluster are refused",
                     options_.resolv_conf);
    }
    forwarder_.set_servers(servers);
}

void DnsServer::publish_stats() {
    NameServerStats next = responder_.counted();
    next.forwarder = forwarder_.counters();
    next.cached = forwarder_.cached();
    next.upstreams = forwarder_.upstreams().all();
    const std::lock_guard lock(stats_mutex_);
    stats_ = std::move(next);
}

NameServerStats DnsServer::stats() const {
    const std::lock_guard lock(stats_mutex_);
    return stats_;
}

}  // namespace podlane::control
