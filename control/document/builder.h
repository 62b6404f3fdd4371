// Builds a document tree from a reader's events, and holds the bounds that are the same for YAML
// and JSON: depth, keys given twice, what aliases expand to. Internal to control/document/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/document/reader.h"
#include "control/document/value.h"

namespace podlane::control {

/// Receives events in document order. Every function returns false after an error; the reader then
/// stops and calls error().
class DocumentBuilder {
  public:
    /// All three must live as long as the builder.
    DocumentBuilder(std::string_view name, const DocumentHandler& handler, Arena& arena)
        : name_(name), handler_(handler), arena_(arena) {}

    struct Position {
        uint32_t line = 1;
        uint32_t column = 1;
    };
    using Anchor = size_t;  ///< 0 = none

    void begin_document();
    /// Hands the document over; an empty one is passed over.
    bool end_document();

    /// A document that is read again from its beginning: as many items as on_item took of it are
    /// passed over.
    void begin_document_again();

    /// `text` must live as long as the arena.
    bool scalar(ValueType type, std::string_view text, Position at, Anchor anchor = 0);
    bool begin_sequence(Position at, Anchor anchor = 0);
    bool begin_mapping(Position at, Anchor anchor = 0);
    bool end_container();
    bool alias(Position at, Anchor anchor);
    /// The key of YAML 1.1's merge type, `<<`; only where expects_key().
    bool merge_key(Position at);
    /// Refuses the document; always returns false.
    bool fail(Position at, std::string what);

    /// True where the next scalar is a mapping's key.
    [[nodiscard]] bool expects_key() const noexcept;
    [[nodiscard]] Arena& arena() noexcept { return arena_; }
    [[nodiscard]] bool failed() const noexcept { return !error_.message.empty(); }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    [[nodiscard]] const Error& error() const noexcept { return error_; }
    void forget_error() noexcept { error_ = {}; }

  private:
    struct Frame {
        bool is_mapping = false;
        bool is_items = false;  // the sequence `items` at the root, and a callback takes its items
        bool has_key = false;   // `key` waits for its value
        Position at;
        Anchor anchor = 0;
        size_t first = 0;         // of its children, in values_ or members_
        size_t nodes_before = 0;  // nodes_ at its beginning
        Value key;
        std::vector<size_t> merges;  // members_ with values to be merged
        Arena::Mark mark;            // before the item that is being read, if is_items
    };
    struct Anchored {
        Value value;
        size_t nodes = 0;  // 0 while it is being read
    };

    bool begin_container(bool is_mapping, Position at, Anchor anchor);
    bool add(const Value& value, Anchor anchor, size_t nodes_before);
    bool add_key(const Value& key);
    bool take_item(Frame& frame, const Value& value);
    bool merge(const Frame& frame);
    bool keys_are_unique(std::span<const Member> members);

    std::string_view name_;
    const DocumentHandler& handler_;
    Arena& arena_;
    std::vector<Frame> frames_;
    std::vector<Value> values_;    // children of open sequences
    std::vector<Member> members_;  // children of open mappings
    std::vector<std::string_view> sorted_keys_;
    std::unordered_map<Anchor, Anchored> anchors_;
    Value root_;
    size_t nodes_ = 0;          // read so far, aliases expanded
    size_t aliased_nodes_ = 0;  // the part that aliases stand for
    size_t taken_ = 0;          // items of this document that on_item took
    size_t to_skip_ = 0;        // of them, when it is read again
    bool stopped_ = false;
    Error error_;
};

/// "NAME:LINE:COL: what".
[[nodiscard]] Error document_error(std::string_view name, DocumentBuilder::Position at,
                                   std::string_view what);

/// The place in a text where a reader begins.
struct Start {
    size_t offset = 0;
    uint32_t line = 1;
};

/// How far read_json() came.
struct JsonEnd {
    /// The error at `at`, the last value's beginning, is something that YAML allows: a comment, a
    /// trailing comma, a bare word.
    bool may_be_yaml = false;
    Start at;
};

/// Reads JSON values one after another, from `start` to the end of `text` (valid UTF-8 without
/// NUL). On failure builder.error() says why.
[[nodiscard]] JsonEnd read_json(std::string_view text, Start start, DocumentBuilder& builder);
/// Reads YAML from `start` to the end of `text`. `is_again`: see begin_document_again(). On failure
/// builder.error() says why.
void read_yaml(std::string_view text, Start start, bool is_again, DocumentBuilder& builder);

}  // namespace podlane::control
