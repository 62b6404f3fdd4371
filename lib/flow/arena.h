// Memory for a table's arrays.
#pragma once

#include <cstddef>

namespace podlane {

/// Where a table's memory comes from. Both null: anonymous memory, in huge pages if the kernel has
/// them. Otherwise `allocate` returns zeroed memory aligned to a cache line, or null.
struct FlowMemory {
    void* (*allocate)(size_t bytes, void* context) = nullptr;
    void (*release)(void* memory, size_t bytes, void* context) = nullptr;
    void* context = nullptr;
};

/// The memory of one array; freed when destroyed. Move-only.
class FlowArena {
  public:
    FlowArena() = default;
    /// `data()` is null if there was no memory.
    FlowArena(const FlowMemory& source, size_t bytes) noexcept;
    ~FlowArena();
    FlowArena(FlowArena&& other) noexcept;
    FlowArena& operator=(FlowArena&& other) noexcept;

    [[nodiscard]] void* data() const noexcept { return data_; }

  private:
    FlowMemory source_{};
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

}  // namespace podlane
