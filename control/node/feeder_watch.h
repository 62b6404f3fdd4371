// Watches programs that feed objects, such as podlane-kube, and reports one that is gone.
//
// A feeder is recognised by its behaviour: it sets an owner's whole set of objects (`replace`) and
// keeps its connection. If it is gone, nobody updates its objects, which looks like a quiet
// cluster. Called by the node; control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace podlane::control {

class FeederWatch {
  public:
    /// A connection kept for this long is a feeder's; others only make a single change.
    static constexpr uint64_t kFeederMs = 10'000;
    /// How long a feeder may be gone, to restart or reconnect.
    static constexpr uint64_t kPatienceMs = 30'000;

    using Connection = std::weak_ptr<const void>;

    /// The owner's set was replaced by this connection.
    void replaced(const std::string& owner, Connection connection, uint64_t now_ms);
    /// Call a few times a second: notes which feeders are gone. Lines for those that have just been
    /// gone too long.
    [[nodiscard]] std::vector<std::string> look(uint64_t now_ms);
    /// A line for each owner whose feeder has been gone too long.
    [[nodiscard]] std::vector<std::string> problems(uint64_t now_ms) const;

  private:
    struct Feeder {
        Connection connection;
        uint64_t since_ms = 0;
        bool is_one = false;   ///< a feeder, not a client that made a single change
        uint64_t gone_ms = 0;  ///< when its end was noticed; 0: it is there
        bool is_told = false;
    };
    std::map<std::string, Feeder> feeders_;  ///< by owner
};

}  // namespace podlane::control
