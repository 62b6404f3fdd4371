// Writes a DNS answer into a buffer of fixed size, record by record; a record that does not fit
// leaves no trace. For the packet path; no allocation.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "lib/base/bytes.h"
#include "lib/dns/wire.h"
#include "lib/proto/wire.h"

namespace podlane {

class DnsWriter {
  public:
    /// The largest offset that a compression pointer can hold (RFC 1035 section 4.1.4).
    static constexpr size_t kMaxPointer = 0x3fff;

    explicit DnsWriter(std::span<uint8_t> room) noexcept : room_(room) {}

    [[nodiscard]] size_t size() const noexcept { return at_; }
    /// False once something did not fit, until rewind().
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    /// Discards what was written from `at` on.
    void rewind(size_t at) noexcept {
        at_ = at;
        ok_ = true;
    }

    void u8(uint8_t value) noexcept { put(&value, 1); }
    void u16(uint16_t value) noexcept {
        const be16 wire(value);
        put(&wire, sizeof(wire));
    }
    void u32(uint32_t value) noexcept {
        const be32 wire(value);
        put(&wire, sizeof(wire));
    }
    void bytes(std::string_view value) noexcept { put(value.data(), value.size()); }
    void bytes(std::span<const uint8_t> value) noexcept { put(value.data(), value.size()); }
    /// Writes zeros, to be overwritten later.
    void skip(size_t bytes) noexcept {
        if (!ok_ || room_.size() - at_ < bytes) {
            ok_ = false;
            return;
        }
        std::memset(room_.data() + at_, 0, bytes);
        at_ += bytes;
    }
    /// Writes a pointer to the rest of this name at `offset`, at most kMaxPointer.
    void pointer(size_t offset) noexcept { u16(static_cast<uint16_t>(0xc000 | offset)); }
    /// Type, class IN and TTL, behind a record's name.
    void head(uint16_t type, uint32_t ttl) noexcept {
        u16(type);
        u16(kDnsClassIn);
        u32(ttl);
    }
    /// Reserves the length field of a record's data; end_data() fills it in.
    [[nodiscard]] size_t begin_data() noexcept {
        u16(0);
        return at_;
    }
    void end_data(size_t begin) noexcept {
        if (ok_) store(room_.data() + begin - 2, be16(static_cast<uint16_t>(at_ - begin)));
    }

  private:
    void put(const void* from, size_t bytes) noexcept {
        if (!ok_ || room_.size() - at_ < bytes) {
            ok_ = false;
            return;
        }
        std::memcpy(room_.data() + at_, from, bytes);
        at_ += bytes;
    }

    std::span<uint8_t> room_;
    size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace podlane
