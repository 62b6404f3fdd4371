// A worker that sleeps on its own thread, with a device that the test lets wake it or not.
#include <rte_ethdev.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/dataplane/rig.h"

namespace podlane::dataplane {
namespace {

class Sleep : public ::testing::Test {
  protected:
    void SetUp() override {
        rig_.shared().idle = IdleMode::kAdaptive;
        bell_ = eventfd(0, EFD_CLOEXEC);
        auto opened = rig_.open_device("net_ring_sleep", bell_);
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        port_ = std::move(opened).value();
        thread_ = std::thread([this] { rig_.run_worker(); });
    }
    void TearDown() override {
        rig_.stop();
        if (thread_.joinable()) thread_.join();
        rig_.close_device(*port_);
    }

    /// Delivers a frame by the device: a ring, which returns what it is sent.
    void arrive() {
        rte_mbuf* frame = rte_pktmbuf_alloc(rig_.shared().pool);
        memset(rte_pktmbuf_append(frame, 60), 0xff, 60);
        ASSERT_EQ(rte_eth_tx_burst(port_->port.ethdev, 0, &frame, 1), 1);
    }
    void ring() const {
        const uint64_t one = 1;
        ASSERT_EQ(write(bell_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    }
    [[nodiscard]] uint64_t received() {
        return rig_.shared().counters[0]->ports[index_of(port_->port.id)].rx_packets.get();
    }
    void wait_for(uint64_t frames) {
        while (received() < frames) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    void wait_until_it_sleeps() {
        while (!rig_.shared().doorbells[0].sleeping.load()) std::this_thread::yield();
    }
    [[nodiscard]] unsigned missed() {
        unsigned count = 0;
        for (const Event& event : rig_.events()) {
            if (event.kind == EventKind::kWakeMissed && event.port == port_->port.id) ++count;
        }
        return count;
    }

    Rig rig_;
    int bell_ = -1;
    std::unique_ptr<OpenPort> port_;
    std::thread thread_;
};

TEST_F(Sleep, ADeviceThatRingsIsSleptOn) {
    for (uint64_t frames = 1; frames <= 5; ++frames) {
        wait_until_it_sleeps();
        arrive();
        ring();
        wait_for(frames);
    }
    EXPECT_TRUE(port_->ethdev->wakes(0));
    EXPECT_EQ(missed(), 0u);
}

TEST_F(Sleep, ADeviceThatDoesNotRingIsFoundOutByItsFirstFrameAndSaidOnce) {
    // The first frame can come while the worker is still awake, and then proves nothing.
    uint64_t frames = 0;
    while (port_->ethdev->wakes(0)) {
        wait_until_it_sleeps();
        arrive();
        wait_for(++frames);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_LE(frames, 3u);
    for (int i = 0; i < 20; ++i) {
        wait_until_it_sleeps();
        arrive();
        wait_for(++frames);
    }
    EXPECT_EQ(missed(), 1u);
}

}  // namespace
}  // namespace podlane::dataplane
