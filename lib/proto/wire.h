// Reading and writing wire structs in packet bytes, at any alignment.
//
// Wire structs are loaded and stored by value through memcpy: packet bytes are rarely aligned, and
// the compiler loads only the fields that are used. To change one field in place, store() it at its
// offsetof(). Any thread.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace podlane {

/// A type that can be copied to and from packet bytes.
template <class T>
concept Wire = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;

/// The `T` that begins at `at`, at any alignment; sizeof(T) bytes must be there.
template <Wire T>
[[nodiscard]] inline T load(const uint8_t* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
}

/// Writes `value` at `at`, at any alignment; sizeof(T) bytes must be there.
template <Wire T>
inline void store(uint8_t* at, const T& value) noexcept {
    std::memcpy(at, &value, sizeof(T));
}

/// True when a `T` at `offset` lies inside `bytes`; safe for any offset.
template <Wire T>
[[nodiscard]] constexpr bool fits(std::span<const uint8_t> bytes, size_t offset) noexcept {
    return offset <= bytes.size() && bytes.size() - offset >= sizeof(T);
}

/// The header at `offset`. The caller has checked the bounds (fits(), or offsets from the parser).
template <Wire T>
[[nodiscard]] inline T header_at(const uint8_t* bytes, size_t offset) noexcept {
    return load<T>(bytes + offset);
}

/// The same with the bounds asserted.
template <Wire T>
[[nodiscard]] inline T header_at(std::span<const uint8_t> bytes, size_t offset) noexcept {
    assert(fits<T>(bytes, offset));
    return load<T>(bytes.data() + offset);
}

/// Writes a header at `offset`, with the bounds asserted.
template <Wire T>
inline void put_header(std::span<uint8_t> bytes, size_t offset, const T& header) noexcept {
    assert(fits<T>(bytes, offset));
    store(bytes.data() + offset, header);
}

}  // namespace podlane
