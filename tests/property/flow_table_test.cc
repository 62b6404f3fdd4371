// The flow table against std::unordered_map: random operations must give the same results.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

/// What the oracle keeps of a connection.
template <Family F>
struct Known {
    FlowKey<F> original, reply;
    uint32_t last_seen = 0;
    bool replied = false;
};

struct BytesHash {
    template <class Key>
    size_t operator()(const Key& key) const {
        return std::hash<std::string_view>{}(
            std::string_view(reinterpret_cast<const char*>(&key), sizeof key));
    }
};

template <class F>
class FlowOracleTest : public ::testing::Test {
  protected:
    using Key = FlowKey<F>;

    uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_()) % below; }

    Key any_key() {
        const uint32_t n = draw(kClients);
        return draw(2) == 0 ? client_key<F>(n) : reply_key<F>(n, draw(3));
    }

    /// The id of the connection with a key, or 0.
    uint32_t holder(const Key& key) const {
        const auto found = ids_.find(key);
        return found == ids_.end() ? 0 : found->second;
    }

    void insert(uint32_t now) {
        auto spec = client_connection<F>(draw(kClients), draw(3));
        if (draw(16) == 0) spec.reply = reply_key<F>(draw(kClients), draw(3));
        const auto result = worker_.insert(spec, now);
        if (holder(spec.original) != 0) {
            ASSERT_EQ(result.status, InsertStatus::kExists);
            EXPECT_EQ(result.entry->key, spec.original);
        } else if (result.status == InsertStatus::kFull) {
            // Some unused blocks may be waiting for their grace period.
            EXPECT_GE(known_.size() + retired_, kCapacity);
        } else if (holder(spec.reply) != 0) {
            EXPECT_EQ(result.status, InsertStatus::kReplyTaken);
        } else {
            ASSERT_EQ(result.status, InsertStatus::kInserted);
            ids_[spec.original] = ids_[spec.reply] = ++last_id_;
            known_[last_id_] = {spec.original, spec.reply, now, false};
        }
    }

    void forget(uint32_t id) {
        const Known<F>& gone = known_.at(id);
        ids_.erase(gone.original);
        ids_.erase(gone.reply);
        known_.erase(id);
        ++retired_;
    }

    void look_up(uint32_t now) {
        const Key key = any_key();
        FlowEntry<F>* const entry = worker_.find(key);
        const uint32_t id = holder(key);
        ASSERT_EQ(entry != nullptr, id != 0);
        if (entry == nullptr) return;
        Known<F>& connection = known_.at(id);
        ASSERT_EQ(entry->key, key);
        ASSERT_EQ(opposite_of(*entry).key, entry->direction() == FlowDirection::kOriginal
                                               ? connection.reply
                                               : connection.original);
        entry->touch(now);
        connection.last_seen = now;
        if (entry->needs_state(0)) {
            (void)connection_of(*entry).note_packet(entry->direction(), 0, {});
        }
        if (entry->direction() == FlowDirection::kReply) connection.replied = true;
    }

    void remove() {
        const Key key = any_key();
        FlowEntry<F>* const entry = worker_.find(key);
        if (entry == nullptr) return;
        EXPECT_TRUE(worker_.table().remove(0, connection_of(*entry)));
        forget(holder(key));
    }

    void sweep(uint32_t now) {
        worker_.sweep(now);
        std::vector<uint32_t> expired;
        for (const auto& [id, connection] : known_) {
            if (now - connection.last_seen >= (connection.replied ? 120u : 30u)) {
                expired.push_back(id);
            }
        }
        for (const uint32_t id : expired) forget(id);
    }

    void compare_all() {
        EXPECT_EQ(worker_.table().counters().active, known_.size());
        uint32_t live = 0;
        (void)worker_.table().for_each(
            [&](Connection<F>& connection) {
                ++live;
                const uint32_t id = holder(connection.original().key);
                ASSERT_NE(id, 0u);
                EXPECT_EQ(known_.at(id).reply, connection.reply().key);
            },
            0, ~0u);
        EXPECT_EQ(live, known_.size());
    }

    static constexpr uint32_t kClients = 700;
    static constexpr uint32_t kCapacity = 400;

    std::mt19937_64 random_{20240611};
    OneWorker<F> worker_{kCapacity};
    std::unordered_map<Key, uint32_t, BytesHash> ids_;
    std::map<uint32_t, Known<F>> known_;
    uint32_t last_id_ = 0;
    size_t retired_ = 0;  ///< an upper bound, since the last settle()
};
TYPED_TEST_SUITE(FlowOracleTest, Families, FamilyName);

TYPED_TEST(FlowOracleTest, AnswersAsAMapDoes) {
    uint32_t now = 1000;
    for (int step = 0; step < 200000 && !this->HasFatalFailure(); ++step) {
        const uint32_t what = this->draw(100);
        if (what < 40) {
            this->insert(now);
        } else if (what < 85) {
            this->look_up(now);
        } else if (what < 97) {
            this->remove();
        } else if (what < 98) {
            now += this->draw(8) + 1;
            this->sweep(now);
        } else {
            // The table must not evict behind the oracle's back: it does only when room is short.
            if (this->known_.size() + this->retired_ < this->kCapacity * 9 / 10) {
                this->worker_.settle(now);
                this->retired_ = 0;
            } else {
                while (this->known_.size() > this->kCapacity / 2) this->remove();
                this->worker_.settle(now);
                this->retired_ = 0;
            }
        }
        if (step % 5000 == 0) this->compare_all();
    }
    this->compare_all();
    EXPECT_EQ(this->worker_.table().counters().evicted, 0u);
}

}  // namespace
}  // namespace podlane
