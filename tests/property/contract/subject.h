// Podlane's side of the differential test: one node's objects, their compiler, and packets for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/compile/compiler.h"
#include "control/config/node_config.h"
#include "tests/property/contract/model.h"
#include "tests/support/random_objects.h"

namespace podlane::contract {

/// A random cluster that changes step by step; the compiler and the model get the same changes.
class Subject {
  public:
    explicit Subject(uint64_t seed);

    /// Makes one random change, unless the compiler refuses it (two Services with one address).
    void step();
    /// A packet of any origin, mostly to a destination that exists.
    [[nodiscard]] Packet packet();

    [[nodiscard]] const Cluster& cluster() const noexcept { return cluster_; }
    [[nodiscard]] const Snapshot& snapshot() const noexcept { return *compiler_->current(); }
    [[nodiscard]] std::shared_ptr<const Snapshot> shared_snapshot() const {
        return compiler_->current();
    }
    [[nodiscard]] control::test::RandomObjects& random() noexcept { return random_; }

    /// The n-th pod that has a port on this node.
    static constexpr unsigned kPods = 2;
    [[nodiscard]] static IpAddress pod(unsigned n, bool v6);

  private:
    void choose_config();
    void plug_in();
    void commit(const control::ChangeSet& changes);
    [[nodiscard]] IpAddress source(From from, bool v6);
    void aim_at(const control::Service& service, Packet& packet);
    void aim_at_host_port(Packet& packet);
    void aim_elsewhere(Packet& packet);

    control::test::RandomObjects random_;
    control::NodeConfig config_;
    control::ObjectStore store_;
    std::unique_ptr<control::Compiler> compiler_;
    Cluster cluster_;
};

}  // namespace podlane::contract
