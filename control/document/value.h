// One small document tree for all text from people and API servers, YAML or JSON.
//
// The readers (reader.h) build it, typed readers (fields.h) take it apart; it has no other users.
// A Value is 24 bytes and owns nothing: children and copied text live in the reader's Arena, and
// strings without escapes are views into the input. So a tree is valid as long as the input and the
// arena are, and a copy of a Value shares its children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

enum class ValueType : uint8_t { kNull, kBool, kInteger, kNumber, kString, kSequence, kMapping };

struct Member;

/// A node of the tree, with the position of its text.
class Value {
  public:
    constexpr Value() noexcept = default;

    /// A scalar. An integer's text is decimal, whatever its notation in YAML was; a bool's is
    /// "true" or "false".
    static Value scalar(ValueType type, std::string_view text, uint32_t line, uint32_t column) {
        return {type, text.data(), text.size(), line, column};
    }
    static Value sequence(std::span<const Value> items, uint32_t line, uint32_t column) {
        return {ValueType::kSequence, items.data(), items.size(), line, column};
    }
    static Value mapping(std::span<const Member> members, uint32_t line, uint32_t column);

    [[nodiscard]] ValueType type() const noexcept { return type_; }
    [[nodiscard]] bool is(ValueType type) const noexcept { return type_ == type; }
    [[nodiscard]] bool is_null() const noexcept { return type_ == ValueType::kNull; }
    /// 1-based.
    [[nodiscard]] uint32_t line() const noexcept { return line_; }
    /// 1-based, in bytes.
    [[nodiscard]] uint32_t column() const noexcept { return column_; }

    /// A scalar's text; "" for null and containers.
    [[nodiscard]] std::string_view text() const noexcept {
        if (type_ == ValueType::kNull || type_ >= ValueType::kSequence) return {};
        return {static_cast<const char*>(data_), count_};
    }
    /// A sequence's items; none for everything else.
    [[nodiscard]] std::span<const Value> items() const noexcept {
        if (type_ != ValueType::kSequence) return {};
        return {static_cast<const Value*>(data_), count_};
    }
    /// A mapping's members in the text's order; none for everything else.
    [[nodiscard]] std::span<const Member> members() const noexcept;
    /// The member's value; a null pointer if there is none.
    [[nodiscard]] const Value* find(std::string_view key) const noexcept;

  private:
    Value(ValueType type, const void* data, size_t count, uint32_t line, uint32_t column) noexcept
        : data_(data),
          count_(static_cast<uint32_t>(count)),
          line_(line),
          column_(column),
          type_(type) {}

    const void* data_ = nullptr;
    uint32_t count_ = 0;
    uint32_t line_ = 0;
    uint32_t column_ = 0;
    ValueType type_ = ValueType::kNull;
};
static_assert(sizeof(Value) == 24);

struct Member {
    Value key;  ///< always a string
    Value value;
};

inline Value Value::mapping(std::span<const Member> members, uint32_t line, uint32_t column) {
    return {ValueType::kMapping, members.data(), members.size(), line, column};
}

inline std::span<const Member> Value::members() const noexcept {
    if (type_ != ValueType::kMapping) return {};
    return {static_cast<const Member*>(data_), count_};
}

inline const Value* Value::find(std::string_view key) const noexcept {
    for (const Member& member : members()) {
        if (member.key.text() == key) return &member.value;
    }
    return nullptr;
}

/// Memory for trees: grows by blocks, given back all at once or down to a mark.
class Arena {
  public:
    struct Mark {
        size_t block = 0;
        size_t used = 0;
    };

    /// Room for `bytes`, aligned for any of ours; never fails but by std::bad_alloc.
    [[nodiscard]] void* allocate(size_t bytes);
    [[nodiscard]] std::string_view copy(std::string_view text);
    template <class T>
    [[nodiscard]] std::span<const T> copy(std::span<const T> values) {
        if (values.empty()) return {};
        T* to = static_cast<T*>(allocate(values.size_bytes()));
        std::uninitialized_copy(values.begin(), values.end(), to);
        return {to, values.size()};
    }

    [[nodiscard]] Mark mark() const noexcept { return {current_, used_}; }
    /// Frees everything allocated since `mark`; the blocks are kept for reuse.
    void release(Mark mark) noexcept {
        current_ = mark.block;
        used_ = mark.used;
    }
    /// Bytes held, used or not.
    [[nodiscard]] size_t held_bytes() const noexcept;

  private:
    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        size_t size = 0;
    };
    std::vector<Block> blocks_;
    size_t current_ = 0;  // block in use, if there is any
    size_t used_ = 0;     // bytes of it
};

/// One document of a text.
struct Document {
    Value root;
    std::string_view name;  ///< of the text: a file's name, or the caller's
    uint32_t first_line = 1;
};

}  // namespace podlane::control
