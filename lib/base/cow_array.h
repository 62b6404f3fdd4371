// A persistent array: an immutable value whose changed copy shares all untouched chunks.
//
// So one change costs little, however large the cluster: a copy copies the spine (size / kChunk
// pointers) and the one chunk that changed.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace podlane {

/// Copy-on-write array of T; elements that were never set read as T{}.
/// Threads: the const interface never changes a value, so any number of readers may use it while
/// the builder prepares the next one from a copy. Builder only: set().
template <class T, size_t Chunk = 64>
class CowArray {
  public:
    static constexpr size_t kChunk = Chunk;

    /// What a reader of many elements keeps in registers; valid as long as this value.
    class View {
      public:
        [[nodiscard, gnu::always_inline]] const T& operator[](size_t index) const noexcept {
            const size_t chunk = index / Chunk;
            if (chunk >= chunks_) [[unlikely]]
                return empty();
            return (*spine_[chunk])[index % Chunk];
        }

      private:
        friend CowArray;
        explicit View(const CowArray& array) noexcept
            : spine_(array.spine_.data()), chunks_(array.spine_.size()) {}

        const std::shared_ptr<std::array<T, Chunk>>* spine_;
        size_t chunks_;
    };

    /// The element at `index`; T{} beyond the end. No reference counts are touched.
    [[nodiscard]] const T& operator[](size_t index) const noexcept { return view()[index]; }
    [[nodiscard]] View view() const noexcept { return View(*this); }
    /// The element's address, for a prefetch; nullptr beyond the end.
    [[nodiscard]] const T* address_of(size_t index) const noexcept {
        const size_t chunk = index / Chunk;
        return chunk < spine_.size() ? &(*spine_[chunk])[index % Chunk] : nullptr;
    }

    /// Replaces one element of this value; other copies keep what they had.
    void set(size_t index, const T& value) { mutable_at(index) = value; }
    void set(size_t index, T&& value) { mutable_at(index) = std::move(value); }

    /// The element, to be changed in place; its chunk is copied first if another value shares it.
    [[nodiscard]] T& mutable_at(size_t index) {
        const size_t chunk = index / Chunk;
        if (chunk >= spine_.size()) spine_.resize(chunk + 1, empty_chunk());
        auto& slot = spine_[chunk];
        if (slot.use_count() != 1) slot = std::make_shared<std::array<T, Chunk>>(*slot);
        return (*slot)[index % Chunk];
    }

    /// Whether nothing was set since one of them was a copy of the other. Never wrongly true.
    [[nodiscard]] bool is_same(const CowArray& other) const noexcept {
        return spine_ == other.spine_;
    }

    /// Elements up to the last chunk that was ever set.
    [[nodiscard]] size_t size() const noexcept { return spine_.size() * Chunk; }

  private:
    static const T& empty() noexcept {
        static const T value{};
        return value;
    }
    /// What all chunks without a set element share, so that no reader needs to ask for one.
    static const std::shared_ptr<std::array<T, Chunk>>& empty_chunk() {
        static const auto chunk = std::make_shared<std::array<T, Chunk>>();
        return chunk;
    }

    std::vector<std::shared_ptr<std::array<T, Chunk>>> spine_;  ///< no null
};

}  // namespace podlane
