// A complete dataplane with its threads, without devices.
#include "dataplane/runtime.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "dataplane/runtime_impl.h"
#include "lib/model/snapshot.h"

namespace podlane::dataplane {
namespace {

/// A process can only have one runtime.
class RuntimeTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        std::string name = "/dev/shm/runtime-XXXXXX";
        folder = ::mkdtemp(name.data());
        RuntimeConfig config;
        config.worker_cpus = {0, 0};
        config.hugepages = HugepageMode::kOff;
        config.mbufs = 4096;
        config.flow_capacity = 1024;
        config.has_own_buffers = true;
        config.kept_flows = folder;
        config.kept_flows_log = [](LogLevel, std::string_view) {};
        auto made = start(config);
        ASSERT_TRUE(made.ok()) << made.error().message;
        started = std::make_unique<Started>(std::move(made).value());
    }
    static void TearDownTestSuite() {
        started.reset();
        std::filesystem::remove_all(folder);
    }
    static uint64_t cycles(unsigned worker) {
        const WorkerCounters& counters = started->dataplane->counters(worker);
        return counters.idle_cycles.get() + counters.busy_cycles.get();
    }
    static void wait_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(600)); }

    static inline std::string folder;
    static inline std::unique_ptr<Started> started;
};

TEST_F(RuntimeTest, WorkersRestAndGoOn) {
    Dataplane& dataplane = *started->dataplane;
    EXPECT_FALSE(dataplane.rest()) << "they have not begun";
    EXPECT_TRUE(dataplane.publish(make_empty_snapshot()));
    wait_a_little();
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(dataplane.rest());
        const uint64_t first = cycles(0), second = cycles(1);
        EXPECT_TRUE(dataplane.publish(make_empty_snapshot())) << "nobody has to be waited for";
        wait_a_little();
        EXPECT_EQ(cycles(0), first);
        EXPECT_EQ(cycles(1), second);
        EXPECT_TRUE(dataplane.stuck_workers().empty());
        dataplane.go_on();
        wait_a_little();
        EXPECT_GT(cycles(0), first);
        EXPECT_GT(cycles(1), second);
    }
}

TEST_F(RuntimeTest, ATapsDescriptorsAreKnownByWorker) {
    Dataplane& dataplane = *started->dataplane;
    int near[2], far[2];
    for (int i = 0; i < 2; ++i) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
        near[i] = ends[0];
        far[i] = ends[1];
    }
    TapPortSpec spec;
    spec.name = "default/web";
    spec.queue_fds = {near[0], near[1]};
    const auto port = dataplane.add_tap_port(spec);
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_EQ(dataplane.queue_fds(*port), (std::vector<int>{near[0], near[1]}));
    EXPECT_TRUE(dataplane.queue_fds(PortId{77}).empty());
    EXPECT_TRUE(dataplane.problems().empty());
    dataplane.remove_port(*port);
    for (const int fd : far) ::close(fd);
}

TEST_F(RuntimeTest, ItsEndComesAlsoWhileWorkersRest) {
    if (!dynamic_cast<Runtime&>(*started->dataplane).rest()) {
        started->dataplane->publish(make_empty_snapshot());
        ASSERT_TRUE(started->dataplane->rest());
    }
    const auto since = std::chrono::steady_clock::now();
    started->dataplane.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - since, std::chrono::seconds(2));
}

TEST(Devices, OfWhichTwoProcessesCanHaveOneAndWhichCopy) {
    EXPECT_TRUE(can_be_shared("net_af_packet0,iface=eth1"));
    EXPECT_FALSE(can_be_shared("0000:3b:00.0"));
    EXPECT_FALSE(can_be_shared("net_af_xdp0,iface=eth1"));
    EXPECT_TRUE(copies_packets("net_af_packet0,iface=eth1"));
    EXPECT_TRUE(copies_packets("net_tap0"));
    EXPECT_FALSE(copies_packets("0000:3b:00.0"));
    EXPECT_FALSE(copies_packets("virtio_user0,path=/dev/vhost-net"));
}

}  // namespace
}  // namespace podlane::dataplane
