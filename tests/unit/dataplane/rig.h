// A worker in a test: real EAL without hugepages, real stages, and ports on socket pairs.
//
// A TAP queue and a datagram socket are read and written alike, so frames take the same path as
// from a pod. The test turns the workers by hand, on its own thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/ports/open_ports.h"
#include "dataplane/shared.h"
#include "dataplane/worker.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"
#include "lib/proto/virtio_net.h"
#include "tests/support/world.h"

namespace podlane::dataplane {

using Frame = std::vector<uint8_t>;

/// For a rig that goes on with what another rig left.
struct RigMemory {
    std::string kept_flows = {};     ///< the folder; empty: nothing is kept
    uint16_t first_port = 0;         ///< number of its first port
    std::vector<std::string> log{};  ///< lines about flows that are taken over
    bool traffic = false;            ///< packets and bytes of connections are counted
    /// The first generation, for the ports that this node has; null: the world's.
    std::shared_ptr<const Snapshot> first{};
};

/// Workers, usually one, in the world of make_world(), with its ports.
class Rig {
  public:
    explicit Rig(unsigned workers = 1, uint32_t flow_capacity = 1024, bool shares = false,
                 RigMemory memory = {});
    ~Rig();

    enum Who { kPodA, kPodB, kUplink, kHost };

    /// Delivers the frame to the port, in this worker's queue; the workers turn until nothing
    /// moves. `partial`: the TAP says that the L4 checksum is partial.
    void send(Who from, const Frame& frame, bool partial = false, unsigned worker = 0);
    /// Puts the frame, after this header, at the port, where it waits until the worker turns.
    void arrive(Who from, const Frame& frame, const VirtioNetHeader& header, unsigned worker = 0);
    /// send() with any header before the frame.
    void send_with(Who from, const Frame& frame, const VirtioNetHeader& header);
    /// Sends TCP or UDP of many segments, as a pod's kernel leaves it to its device.
    void send_large(Who from, const Frame& frame, uint16_t segment_bytes);
    /// Sends all frames before the worker looks, so that they are one burst.
    void send_burst(Who from, const std::vector<Frame>& frames);
    /// The frames that left by the port since the last call, without virtio headers.
    std::vector<Frame> take(Who from);
    /// Exactly one frame must have left by the port; returns it.
    Frame take_one(Who from);
    /// Whether the header of the last frame taken marked its checksum as partial.
    [[nodiscard]] bool last_was_partial() const {
        return (last_header_.flags & kVirtioNeedsChecksum) != 0;
    }
    /// The header of the last frame taken.
    [[nodiscard]] const VirtioNetHeader& last_header() const { return last_header_; }

    /// From now on the port's checksums may be partial but unmarked, like af_packet's on veth.
    void deliver_unmarked_partials(Who who) {
        ports_[who]->port.caps.rx_l4_checksum = RxChecksum::kMaybePartial;
    }

    /// Limits the port to this bandwidth from now on.
    void limit(Who who, const Bandwidth& bandwidth) { ports_[who]->limit(bandwidth); }

    /// From now on the port accepts only single packets.
    void refuse_large(Who who) {
        ports_[who]->port.caps.tx_tso = ports_[who]->port.takes_large_udp = false;
    }

    [[nodiscard]] uint64_t drops(Drop reason) const;
    [[nodiscard]] uint64_t all_drops() const;
    [[nodiscard]] std::vector<Event> events();
    void command(const Command& command);
    void turn();
    /// Advances the workers' clock.
    void pass(uint64_t milliseconds) {
        shared_->clock.start_tsc -= milliseconds * shared_->clock.tsc_per_ms;
        turn();
    }

    /// Changes the live snapshot.
    template <class Change>
    void change(Change change_it) {
        auto next = std::make_shared<Snapshot>(*snapshot_);
        change_it(*next);
        publish(std::move(next));
    }
    [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }
    [[nodiscard]] Shared& shared() { return *shared_; }
    [[nodiscard]] const RigMemory& memory() const { return memory_; }
    [[nodiscard]] const Worker& worker(unsigned id) const { return *workers_[id]; }
    [[nodiscard]] PortId port(Who who) const { return ports_[who]->port.id; }

    /// Lets worker 0 poll this DPDK device as well, and sleep on `bell`. The snapshot has no port
    /// for it. Removed by close_device().
    [[nodiscard]] Result<std::unique_ptr<OpenPort>> open_device(const std::string& device,
                                                                int bell);
    void close_device(const OpenPort& port) { shared_->ports.set(port.port.id, nullptr); }
    /// Runs worker 0 on the caller's thread until stop().
    void run_worker() {
        shared_->begun.store(true);
        workers_[0]->run();
    }
    void stop() {
        shared_->stop.store(true);
        shared_->doorbells[0].ring();
    }

  private:
    void publish(std::shared_ptr<const Snapshot> next);
    void add_port(Who who, PortKind kind, const std::string& name, uint32_t max_frame);

    RigMemory memory_;
    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<OpenPort>> ports_;
    std::vector<std::vector<int>> far_ends_;  ///< by port and worker
    std::vector<std::unique_ptr<Worker>> workers_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::shared_ptr<const Snapshot>> old_;
    std::vector<uint8_t> buffer_ = std::vector<uint8_t>(70000);  ///< the largest frame
    VirtioNetHeader last_header_{};
};

}  // namespace podlane::dataplane
