// The whole pipeline under the model: a real worker that is sent frames, and whose frames are read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/property/contract/subject.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::contract {

/// One node's worker, following a Subject. It is sent the first packets of connections, and what
/// comes out is looked at: forwarded (whereto, with whose source, and whether the answer comes back
/// as from the Service), refused (and the sender told), or dropped.
class Pipeline {
  public:
    explicit Pipeline(Subject& subject);
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    /// The worker ends, and others go on with its memory.
    void restart();

    /// From now on the worker uses what the Subject has now.
    void follow();
    /// A new connection: "" if what the model expects happens, else both sides in words. Nothing
    /// when there was such a connection before.
    [[nodiscard]] std::optional<std::string> open(Packet packet);
    /// Another packet of a connection that was opened before, the same way; nothing: there is none.
    [[nodiscard]] std::optional<std::string> go_on();

    /// Datagram flows that were given another endpoint, or their first.
    [[nodiscard]] uint64_t repicked() const noexcept { return repicked_; }
    /// Senders that were refused and not told, for want of ICMP errors that may be sent by now.
    [[nodiscard]] uint64_t untold() const noexcept { return untold_; }

  private:
    /// What became of a packet.
    struct Seen {
        What what = What::kNoService;
        Target target;     ///< of kForward
        std::string text;  ///< in words
    };
    struct Flow {
        Packet packet;
        std::optional<Target> target;  ///< none: no Service's business yet
    };

    [[nodiscard]] Seen send(const Packet& packet);
    template <Family F>
    [[nodiscard]] Seen send_in(const Packet& packet);
    template <Family F>
    [[nodiscard]] bool answers(const Packet& packet, const FlowKey<F>& forwarded,
                               dataplane::Rig::Who out, bool tunnelled);
    [[nodiscard]] std::string judge(const Packet& packet, const Expected& expected,
                                    const Seen& seen);
    [[nodiscard]] uint64_t drops(std::initializer_list<Drop> reasons) const;

    Subject& subject_;
    void start();

    std::string folder_;  ///< where flows outlive a worker
    unsigned starts_ = 0;
    std::unique_ptr<dataplane::Rig> rig_;
    std::vector<Flow> flows_;
    std::set<std::tuple<IpAddress, IpAddress, uint8_t, uint16_t, uint16_t>> used_;
    uint64_t repicked_ = 0, untold_ = 0;
};

}  // namespace podlane::contract
