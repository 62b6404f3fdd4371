#include "control/metrics/families.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "control/metrics/node_metrics.h"
#include "control/metrics/process_metrics.h"
#include "lib/telemetry/latency.h"

namespace podlane::control {
namespace {

LatencyStats some_latency() {
    return {
        .buckets = {{LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(1000)), 8},
                    {LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(1024)), 1},
                    {LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(100'000'000)), 1}}};
}

/// A node that has something of everything.
NodeMetrics busy_node() {
    NodeMetrics node;
    node.health.node = "node-a";
    node.health.workers = {{0, true}};
    node.health.problems = {"uplink0: its link is down"};
    node.stats.generation = 42;
    node.is_serving = true;
    node.stats.ports.push_back({.name = "uplink0",
                                .kind = PortKind::kUplink,
                                .totals = {.rx_packets = 7, .rx_bytes = 700},
                                .losses = {.rx_missed = 3}});
    node.ports.push_back(
        {.name = "uplink0", .kind = PortKind::kUplink, .link = {LinkState::kUp, 10'000}});
    node.stats.workers.push_back({.id = 0, .rx_packets = 9, .latency = some_latency()});
    node.stats.drops[static_cast<size_t>(Drop::kNoRoute)] = 5;
    node.stats.stages[static_cast<size_t>(PipelineStage::kJoin)] = {8, 2};
    node.stats.flows = {.active = 1, .capacity = 1000, .created = 5, .expired = 4};
    node.stats.dns.emplace().server.emplace().upstreams.push_back(
        {.server = {*parse_ip("192.0.2.1")}, .asked = 3, .failed = 1});
    node.stats.load_balancer = {.assigned = 1, .pending = 2, .refused = 3};
    node.services = {{"default", "web", 11, 2}};
    node.other_connections = 13;
    node.neighbours.push_back({.state = NeighbourState::kReachable});
    return node;
}

std::string text_of(MetricsFormat format) {
    return metrics_text(busy_node(), {"0.1.0", "DPDK 22.11"}, format);
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Families, NumbersStandInTheirSamples) {
    const std::string text = text_of(MetricsFormat::kPrometheus);
    for (const char* line : {
             "podlane_build_info{version=\"0.1.0\",dpdk=\"DPDK 22.11\",node=\"node-a\"} 1",
             "podlane_serving 1",
             "podlane_generation 42",
             "podlane_port_receive_packets_total{port=\"uplink0\",kind=\"uplink\"} 7",
             "podlane_port_device_losses_total{port=\"uplink0\",reason=\"device_missed\"} 3",
             "podlane_port_speed_bytes{port=\"uplink0\"} 1250000000",
             "podlane_worker_receive_packets_total{worker=\"0\"} 9",
             "podlane_drops_total{reason=\"no_route\"} 5",
             "podlane_stage_packets_total{stage=\"join\",way=\"in\"} 8",
             "podlane_stage_packets_total{stage=\"join\",way=\"out\"} 2",
             "podlane_flow_table_capacity 1000",
             "podlane_service_connections_total{namespace=\"default\",service=\"web\"} 11",
             "podlane_service_connections_total{namespace=\"\",service=\"\"} 13",
             "podlane_service_endpoints{namespace=\"default\",service=\"web\"} 2",
             "podlane_dns_upstream_failures_total{server=\"192.0.2.1:53\"} 1",
             "podlane_neighbours{state=\"reachable\"} 1",
             "podlane_neighbours{state=\"failed\"} 0",
             "podlane_load_balancer_services{state=\"pending\"} 2",
             "podlane_load_balancer_refusals_total 3",
             "podlane_problems 1",
             "podlane_worker_up{worker=\"0\"} 1",
             "podlane_port_up{port=\"uplink0\",kind=\"uplink\"} 1",
             "podlane_packet_latency_seconds_bucket{worker=\"0\",le=\"1.023e-06\"} 8",
             "podlane_packet_latency_seconds_bucket{worker=\"0\",le=\"2.047e-06\"} 9",
             "podlane_packet_latency_seconds_bucket{worker=\"0\",le=\"0.016777215\"} 9",
             "podlane_packet_latency_seconds_count{worker=\"0\"} 10",
         }) {
        EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
    }
}

TEST(Families, SumOfDurationsIsNear) {
    LatencyStats stats;
    double sum = 0;
    for (uint64_t ns = 1; ns < 10'000'000; ns = ns * 5 / 4 + 1) {
        stats.buckets.push_back({LatencyHistogram::longest_ns(LatencyHistogram::bucket_of(ns)), 1});
        sum += static_cast<double>(ns) / 1e9;
    }
    EXPECT_NEAR(duration_metrics(stats).sum_seconds, sum, sum / 32);
    EXPECT_EQ(duration_metrics(stats).count, stats.buckets.size());
}

TEST(Families, ServicesHaveTheirConnectionsAndTheEndpointsOfTheirLargestPort) {
    FrontendRow first{.service = "shop/web"};
    first.inside.resize(2);
    FrontendRow second{.service = "shop/web"};
    second.outside.resize(3);
    const FrontendRow host_port{.service = "shop/pod", .kind = FrontendKind::kHostPort};
    const auto services =
        service_metrics({{"shop/web", 20}, {"gone/web", 7}}, {first, second, host_port});
    ASSERT_EQ(services.size(), 1u);
    EXPECT_EQ(services[0].name_space, "shop");
    EXPECT_EQ(services[0].name, "web");
    EXPECT_EQ(services[0].connections, 20u);
    EXPECT_EQ(services[0].endpoints, 3u);
}

TEST(Families, NamesAreUniqueAndDocumented) {
    std::ifstream file(std::string(std::getenv("PODLANE_SOURCE")) + "/docs/metrics.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    std::istringstream lines(text_of(MetricsFormat::kPrometheus));
    std::set<std::string> names;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, what, name;
        if (!(words >> hash >> what >> name) || what != "TYPE") continue;
        EXPECT_TRUE(names.insert(name).second) << name;
        EXPECT_NE(page.find("`" + name + "`"), std::string::npos)
            << name << " is not in docs/metrics.md";
    }
    EXPECT_GT(names.size(), 40U);
}

TEST(Families, PromtoolFindsNothingToComplainOf) {
    if (std::system("promtool --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool";
    FILE* promtool = ::popen("promtool check metrics >&2", "w");
    ASSERT_NE(promtool, nullptr);
    const std::string text = text_of(MetricsFormat::kPrometheus);
    EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
    EXPECT_EQ(WEXITSTATUS(::pclose(promtool)), 0);
}

TEST(ProcessMetrics, AreThoseOfThisProcess) {
    const ProcessMetrics here = read_process_metrics();
    EXPECT_GT(here.resident_bytes, 100'000U);
    EXPECT_GE(here.open_files, 3U);
    EXPECT_GE(here.most_files, here.open_files);
    // Between 2020 and now.
    EXPECT_GT(here.start_seconds, 1'577'836'800.0);
    EXPECT_LE(here.start_seconds, static_cast<double>(std::time(nullptr)) + 1);
}

}  // namespace
}  // namespace podlane::control
