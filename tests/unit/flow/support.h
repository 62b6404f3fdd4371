// Keys and tables for the flow tests, of either family.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <memory>

#include "lib/flow/table.h"

namespace podlane::test {

/// The n-th address of a family.
template <Family F>
[[nodiscard]] typename F::Address address(uint32_t n) {
    if constexpr (std::same_as<F, V4>) {
        return {be32(0x0a000000u + n)};
    } else {
        Ipv6Address out{};
        out.bytes[0] = 0xfd;
        for (unsigned i = 0; i < 4; ++i) {
            out.bytes[12 + i] = static_cast<uint8_t>(n >> (24 - 8 * i));
        }
        return out;
    }
}

/// Client n's connection to a service.
template <Family F>
[[nodiscard]] FlowKey<F> client_key(uint32_t n, uint8_t protocol = kProtocolUdp) {
    return {address<F>(n >> 8),
            address<F>(0x600001),
            be16(static_cast<uint16_t>(1024 + (n & 0xff))),
            be16(80),
            protocol,
            static_cast<uint8_t>(FlowKind::kWhole),
            0};
}

/// The reply of client n's connection if the service's endpoint is `backend`.
template <Family F>
[[nodiscard]] FlowKey<F> reply_key(uint32_t n, uint32_t backend = 1,
                                   uint8_t protocol = kProtocolUdp) {
    FlowKey<F> key = client_key<F>(n, protocol).reversed();
    key.src = address<F>(0x700000 + backend);
    key.src_port = be16(8080);
    return key;
}

template <Family F>
[[nodiscard]] NewConnection<F> client_connection(uint32_t n, uint32_t backend = 1,
                                                 uint8_t protocol = kProtocolUdp,
                                                 uint8_t tcp_flags = 0) {
    NewConnection<F> spec{};
    spec.original = client_key<F>(n, protocol);
    spec.reply = reply_key<F>(n, backend, protocol);
    spec.original_hop = {7, n + 1};
    spec.reply_hop = {7, n + 2};
    spec.service_id = 3;
    spec.service_epoch = 11;
    spec.tcp_flags = tcp_flags;
    return spec;
}

template <Family F>
[[nodiscard]] std::unique_ptr<FlowTable<F>> make_table(QuiescentDomain& domain, uint32_t capacity,
                                                       unsigned workers = 1, uint64_t seed = 1,
                                                       const FlowTimeouts& timeouts = {}) {
    FlowTableOptions options;
    options.capacity = capacity;
    options.workers = workers;
    options.seed = seed;
    options.timeouts = timeouts;
    auto table = FlowTable<F>::create(options, domain);
    EXPECT_TRUE(table.ok());
    return std::move(table).value();
}

template <Family F>
[[nodiscard]] FlowEntry<F>* find(const FlowTable<F>& table, const FlowKey<F>& key) {
    return table.lookup(key, table.hash(key));
}

/// A table with one worker, and that worker's turns.
template <Family F>
class OneWorker {
  public:
    explicit OneWorker(uint32_t capacity, const FlowTimeouts& timeouts = {})
        : table_(make_table<F>(domain_, capacity, 1, 1, timeouts)) {
        domain_.online(0);
    }

    [[nodiscard]] FlowTable<F>& table() { return *table_; }
    [[nodiscard]] FlowEntry<F>* find(const FlowKey<F>& key) const {
        return test::find<F>(*table_, key);
    }
    InsertResult<F> insert(const NewConnection<F>& spec, uint32_t now_s = 100) {
        return table_->insert(0, spec, now_s);
    }
    /// A packet of the entry's connection, as a worker notes it.
    void note(FlowEntry<F>& entry, FlowDirection direction, uint8_t tcp_flags,
              uint32_t now_s = 100) {
        Connection<F>& connection = connection_of(entry);
        if (connection.note_packet(direction, tcp_flags, table_->timeouts()) ==
            Noted::kShorterTimeout) {
            table_->reschedule(connection, now_s);
        }
    }
    /// The end of a turn; two of them end a grace period.
    void turn(uint32_t now_s = 100) {
        table_->maintain(0, now_s);
        domain_.quiescent(0);
    }
    void settle(uint32_t now_s = 100) {
        for (int i = 0; i < 8; ++i) turn(now_s);
    }
    /// A whole pass over the table.
    void sweep(uint32_t now_s) {
        while (table_->sweep(0, now_s, 1000) != 0) {
        }
    }

  private:
    QuiescentDomain domain_;
    std::unique_ptr<FlowTable<F>> table_;
};

using Families = ::testing::Types<V4, V6>;
struct FamilyName {
    template <class F>
    static std::string GetName(int) {
        return F::kName;
    }
};

}  // namespace podlane::test
