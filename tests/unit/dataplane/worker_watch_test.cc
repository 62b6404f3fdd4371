#include "dataplane/worker_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "dataplane/leaving_ports.h"
#include "dataplane/place.h"
#include "dataplane/worker.h"
#include "tests/unit/dataplane/rig.h"

namespace podlane::dataplane {
namespace {

using std::chrono::milliseconds;

class WorkerWatchTest : public testing::Test {
  protected:
    /// Looks `count` times, 100 ms apart.
    void look(std::vector<uint64_t> turns, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            now += milliseconds(100);
            watch.look(turns, now);
        }
    }
    WorkerWatch watch{2};
    WorkerWatch::Clock::time_point now{std::chrono::seconds(1000)};
};

TEST_F(WorkerWatchTest, AWorkerWithoutATurnForTwoSecondsStandsStill) {
    look({5, 7}, 1);
    look({5, 8}, 19);
    EXPECT_FALSE(watch.any_still());
    look({5, 9}, 1);
    EXPECT_TRUE(watch.any_still());
    EXPECT_EQ(watch.still_ms(0), WorkerWatch::kStillMs);
    EXPECT_EQ(watch.still_ms(1), 0u) << "nineteen looks at one number are no standstill yet";
    look({6, 9}, 1);
    EXPECT_EQ(watch.still_ms(0), 0u) << "it goes on";
}

TEST_F(WorkerWatchTest, AProcessThatStoodStillItselfBlamesNoWorker) {
    look({5, 5}, 1);
    now += std::chrono::hours(1);
    watch.look({5, 5}, now);
    EXPECT_FALSE(watch.any_still());
}

TEST(Place, SaysThePortAndTheStageOfABurst) {
    Place place;
    EXPECT_EQ(place.port(), kNoPort);
    EXPECT_STREQ(place.step(), "start");
    place.at("send", PortId{300});
    EXPECT_EQ(place.port(), PortId{300});
    EXPECT_STREQ(place.step(), "send");
    Rig rig;
    rig.turn();
    EXPECT_STREQ(rig.worker(0).place().step(), "ageing");
}

TEST(Place, AWorkerTurnsAndHoldsTheSnapshotOfItsTurn) {
    Rig rig;
    const Snapshot* const before = rig.shared().snapshot.load();
    rig.turn();
    const Place& place = rig.worker(0).place();
    const uint64_t turns = place.turns();
    EXPECT_TRUE(place.holds(before));
    rig.turn();
    EXPECT_GT(place.turns(), turns);
}

TEST(LeavingPorts, APortIsClosedAfterTwoGracePeriodsAndNotBefore) {
    QuiescentDomain domain;
    domain.online(0);
    LeavingPorts leaving(domain);
    auto port = std::make_unique<OpenPort>();
    port->port.id = PortId{9};
    port->port.tap_fds.fill(-1);
    port->port.backend = PortBackend::kTap;
    const int fd = dup(0);
    port->port.tap_fds[0] = fd;
    leaving.add(std::move(port));
    (void)leaving.close_free();
    EXPECT_TRUE(leaving.has(PortId{9})) << "its number is not given to another";
    domain.quiescent(0);
    (void)leaving.close_free();
    EXPECT_NE(fcntl(fd, F_GETFD), -1) << "frames may have been gathered for it";
    domain.quiescent(0);
    (void)leaving.close_free();
    EXPECT_TRUE(leaving.empty());
    EXPECT_FALSE(leaving.token().has_value());
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

}  // namespace
}  // namespace podlane::dataplane
