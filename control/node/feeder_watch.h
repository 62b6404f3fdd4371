// Programs that feed objects, such as podlane-kube: whether one of them is gone.
//
// A feeder is known by what it does: it makes an owner's set of objects what it says (`replace`)
// and keeps its connection. One that is gone leaves objects that nobody changes any more, which
// looks like a quiet cluster. The node asks; control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace podlane::control {

class FeederWatch {
  public:
    /// A connection that is kept for so long is a feeder's; others change something once.
    static constexpr uint64_t kFeederMs = 10'000;
    /// So long it may be gone: to be restarted, to find its way back.
    static constexpr uint64_t kPatienceMs = 30'000;

    using Connection = std::weak_ptr<const void>;

    /// The owner's set was replaced by this connection.
    void replaced(const std::string& owner, Connection connection, uint64_t now_ms);
    /// Notes who is gone: some times a second. Lines for those that have just been too long.
    [[nodiscard]] std::vector<std::string> look(uint64_t now_ms);
    /// A line for each owner whose feeder is gone for too long.
    [[nodiscard]] std::vector<std::string> problems(uint64_t now_ms) const;

  private:
    struct Feeder {
        Connection connection;
        uint64_t since_ms = 0;
        bool is_one = false;   ///< and not somebody who changed something once
        uint64_t gone_ms = 0;  ///< when that was seen; 0: it is there
        bool is_told = false;
    };
    std::map<std::string, Feeder> feeders_;  ///< by owner
};

}  // namespace podlane::control
