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

/// Gets events in document order. Every function returns false once an error is known; the
/// reader stops then and asks error().
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

    /// `text` must live as long as the arena.
    bool scalar(ValueType type, std::string_view text, Position at, Anchor anchor = 0);
    bool begin_sequence(Position at, Anchor anchor = 0);
    bool begin_mapping(Position at, Anchor anchor = 0);
    bool end_container();
    bool alias(Position at, Anchor anchor);
    /// Refuses the document; always returns false.
    bool fail(Position at, std::string what);

    /// True where the next scalar is a mapping's key.
    [[nodiscard]] bool expects_key() const noexcept;
    [[nodiscard]] Arena& arena() noexcept { return arena_; }
    [[nodiscard]] bool failed() const noexcept { return !error_.message.empty(); }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    [[nodiscard]] const Error& error() const noexcept { return error_; }

  private:
    struct Frame {
        bool is_mapping = false;
        bool is_items = false;  // the sequence `items` at the root, and somebody wants its items
        bool has_key = false;   // `key` waits for its value
        Position at;
        Anchor anchor = 0;
        size_t first = 0;         // of its children, in values_ or members_
        size_t nodes_before = 0;  // nodes_ at its beginning
        Value key;
        Arena::Mark mark;  // before the item that is being read, if is_items
    };
    struct Anchored {
        Value value;
        size_t nodes = 0;  // 0 while it is being read
    };

    bool begin_container(bool is_mapping, Position at, Anchor anchor);
    bool add(const Value& value, Anchor anchor, size_t nodes_before);
    bool add_key(const Value& key);
    bool take_item(Frame& frame, const Value& value);
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
    bool stopped_ = false;
    Error error_;
};

/// "NAME:LINE:COL: what".
[[nodiscard]] Error document_error(std::string_view name, DocumentBuilder::Position at,
                                   std::string_view what);

/// The two readers; `text` is valid UTF-8 without NUL.
[[nodiscard]] Result<void> read_json(std::string_view text, std::string_view name,
                                     const DocumentHandler& handler);
[[nodiscard]] Result<void> read_yaml(std::string_view text, std::string_view name,
                                     const DocumentHandler& handler);

}  // namespace podlane::control
