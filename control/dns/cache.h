// Answers of upstream resolvers, kept for as long as they may be: bounded, the least used go first.
// One thread; time is an argument.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>

#include "control/dns/message.h"

namespace podlane::control {

class DnsCache {
  public:
    explicit DnsCache(size_t most = 4096) : most_(most) {}

    struct Found {
        std::shared_ptr<const DnsMessage> message;  ///< null: not cached
        uint32_t age_s = 0;
    };
    [[nodiscard]] Found find(const DnsQuestion& question, uint64_t now_ms);
    /// Keeps it for `seconds`; 0: does nothing.
    void insert(const DnsQuestion& question, std::shared_ptr<const DnsMessage> message,
                uint32_t seconds, uint64_t now_ms);
    [[nodiscard]] size_t size() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        DnsQuestion question;
        std::shared_ptr<const DnsMessage> message;
        uint64_t from_ms;
        uint64_t until_ms;
    };
    using Entries = std::list<Entry>;  // the last used first

    size_t most_;
    Entries entries_;
    std::map<DnsQuestion, Entries::iterator> by_question_;
};

}  // namespace podlane::control
