// Running probes by number, for `probe.start`, `probe.read` and `probe.stop`.
//
// Owned by the daemon, control thread. A probe ends with the connection that started it, and if
// nobody reads it for some seconds, so that it does not outlive a hanging reader.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/show/outcome.h"
#include "control/show/probe_view.h"
#include "lib/border/dataplane.h"
#include "lib/border/probe.h"

namespace podlane::control {

/// Parameters of `probe.start`.
struct ProbeQuestion {
    std::vector<std::string> points;  ///< "in", "inside", "out", "drop"; none: a trace
    std::string port;                 ///< a port's name; empty: every one
    std::string reason;               ///< a drop reason's name; empty: any
    std::vector<std::string> filter;  ///< a line for each instruction: "CODE JT JF K", as -ddd's
    std::optional<uint32_t> snap_bytes, packets_per_second, one_in;
    uid_t user = 0;  ///< the client, for the log
    /// The probe ends with this connection; nothing: with none.
    std::optional<std::weak_ptr<const void>> connection = std::nullopt;
};

class ProbeSessions {
  public:
    /// A probe that is not read for this long is stopped.
    static constexpr uint64_t kPatienceMs = 10'000;

    /// Both belong to the same dataplane; `probes` may be null: then there are no probes.
    /// `looking` is told when the first probe begins and when the last one ends; may be empty.
    ProbeSessions(const Dataplane& dataplane, PacketProbes* probes,
                  std::function<void(bool)> looking = {})
        : dataplane_(dataplane), probes_(probes), looking_(std::move(looking)) {}

    [[nodiscard]] Outcome<ProbeStarted> start(const ProbeQuestion& question, uint64_t now_ms);
    [[nodiscard]] Outcome<ProbeView> read(ProbeId id, uint64_t now_ms);
    [[nodiscard]] Outcome<ProbeStarted> stop(ProbeId id);
    /// Ends probes that are no longer read, and frees what ended ones held.
    void tick(uint64_t now_ms);

  private:
    const Dataplane& dataplane_;
    PacketProbes* const probes_;
    struct Session {
        uint64_t read_at_ms;
        std::optional<std::weak_ptr<const void>> connection;
    };
    /// After a probe has begun or ended.
    void tell_looking();

    const std::function<void(bool)> looking_;
    bool is_looking_ = false;
    std::map<ProbeId, Session> sessions_;
};

}  // namespace podlane::control
