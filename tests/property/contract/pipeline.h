// The whole pipeline against the model: a real worker, frames sent to it, and frames that come out.
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

/// One node's worker, following a Subject. It gets the first packets of connections, and the
/// outcome is checked: forwarded (where to, with which source, and whether the reply comes back as
/// from the Service), refused (with a notice to the sender), or dropped.
class Pipeline {
  public:
    explicit Pipeline(Subject& subject);
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    /// The worker ends, and others go on with its memory.
    void restart();

    /// From now on the worker uses the Subject's present state.
    void follow();
    /// Opens a new connection: "" if the model's expectation holds, else both results in words.
    /// None if there was such a connection before.
    [[nodiscard]] std::optional<std::string> open(Packet packet);
    /// Sends another packet of an earlier connection, the same way; none if there is no such
    /// connection.
    [[nodiscard]] std::optional<std::string> go_on();

    /// UDP flows that got another endpoint, or their first.
    [[nodiscard]] uint64_t repicked() const noexcept { return repicked_; }
    /// Refused senders without a notice, because the rate limit of ICMP errors was reached.
    [[nodiscard]] uint64_t untold() const noexcept { return untold_; }

  private:
    /// The outcome for a packet.
    struct Seen {
        What what = What::kNoService;
        Target target;     ///< with kForward
        std::string text;  ///< in words
    };
    struct Flow {
        Packet packet;
        std::optional<Target> target;  ///< none: no Service yet
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
