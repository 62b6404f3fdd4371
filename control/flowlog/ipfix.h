// Logged connections as IPFIX messages: RFC 7011, with the NAT fields of RFC 8158.
//
// The flow log (flow_log.h) fills them and sends each as one datagram. Pure; the caller passes the
// time. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/show/logged_flow.h"

namespace podlane::control {

/// Collects records into one message after the other. Times in milliseconds since 1970.
class IpfixEncoder {
  public:
    /// No message is longer, so that none is fragmented.
    static constexpr size_t kMostBytes = 1400;
    /// Templates are sent again after so long: a collector may have been restarted.
    static constexpr uint64_t kTemplatesMs = 60'000;

    explicit IpfixEncoder(uint32_t domain) : domain_(domain) {}

    /// Whether templates() is to be sent before anything else.
    [[nodiscard]] bool templates_due(uint64_t now_ms) const noexcept {
        return templates_ms_ == 0 || now_ms - templates_ms_ >= kTemplatesMs;
    }
    /// A message with the templates alone.
    [[nodiscard]] std::string templates(uint64_t now_ms);
    /// They have not been sent.
    void forget_templates() noexcept { templates_ms_ = 0; }

    /// Adds a record. False: it does not fit into this message; finish() it and add again.
    [[nodiscard]] bool add(const LoggedFlow& flow);
    [[nodiscard]] size_t records() const noexcept { return records_; }
    /// The message, and a new one is begun.
    [[nodiscard]] std::string finish(uint64_t now_ms);

  private:
    struct Set {
        uint16_t id;
        std::string bytes;  ///< of its records
    };

    [[nodiscard]] std::string header(size_t bytes, uint64_t now_ms) const;

    const uint32_t domain_;
    std::vector<Set> sets_;
    size_t bytes_ = 0;           ///< of the sets, with their headers
    size_t records_ = 0;         ///< in them
    uint32_t sequence_ = 0;      ///< records of all messages before
    uint64_t templates_ms_ = 0;  ///< when they were sent; 0: never
};

}  // namespace podlane::control
