// Watches for links that go down and come back, and for devices that lose frames or take none;
// reports them, and lists them as problems while they last.
//
// The node model calls it; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/border/dataplane.h"

namespace podlane::control {

class LinkWatch {
  public:
    /// What has happened to a port since the last check.
    struct News {
        PortId port = kNoPort;
        std::string text;   ///< "uplink0: its link is down"
        bool good = false;  ///< not a problem
        bool gone = false;  ///< its device does not exist any more
    };

    /// Looks once a second, however often it is called. Pods' TAPs are left out: a pod may set its
    /// interface down as it likes.
    [[nodiscard]] std::vector<News> look(const Dataplane& dataplane, uint64_t now_ms);
    /// Whether the port's link was down or its device gone at the last look.
    [[nodiscard]] bool is_down(PortId port) const;
    /// A line for each port with a link that is down, with a device that lost frames in the last
    /// minute or took less than a tenth of the frames to send in the last seconds, or with a kernel
    /// interface that is shaped in vain.
    [[nodiscard]] std::vector<std::string> problems(uint64_t now_ms) const;

  private:
    struct Watched {
        std::string name;
        LinkState link = LinkState::kUp;
        DeviceLosses losses;               ///< as of the last look
        DeviceLosses told_losses;          ///< as of the last news of them
        uint64_t told_ms = 0;              ///< 0: never
        uint64_t lost_ms = 0;              ///< when they grew last; 0: never
        uint64_t sent = 0;                 ///< frames, as of the last look
        uint64_t unsent = 0;               ///< frames that it did not take, in the same way
        std::string_view bypassed_shaper;  ///< as of the last look
        uint64_t blocked_ms = 0;  ///< when it was found to take hardly any frames; 0: never
    };
    void look_at(Watched& port, const PortState& now, uint64_t now_ms, std::vector<News>& news);
    static void look_at_sending(Watched& port, PortId id, const Dataplane& dataplane,
                                uint64_t now_ms, std::vector<News>& news);

    uint64_t look_again_ms_ = 0;
    std::map<PortId, Watched> watched_;
};

}  // namespace podlane::control
