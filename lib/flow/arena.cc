#include "lib/flow/arena.h"

#include <sys/mman.h>

#include <utility>

namespace podlane {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

void* map_anonymous(size_t bytes) noexcept {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    // A hint: without it the table works with small pages. Small tables stay small.
    if (bytes >= kHugePage) (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

}  // namespace

FlowArena::FlowArena(const FlowMemory& source, size_t bytes) noexcept
    : source_(source), bytes_(bytes) {
    data_ =
        source.allocate != nullptr ? source.allocate(bytes, source.context) : map_anonymous(bytes);
}

FlowArena::~FlowArena() {
    if (data_ == nullptr) return;
    if (source_.allocate == nullptr) {
        munmap(data_, bytes_);
    } else if (source_.release != nullptr) {
        source_.release(data_, bytes_, source_.context);
    }
}

FlowArena::FlowArena(FlowArena&& other) noexcept
    : source_(other.source_), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

FlowArena& FlowArena::operator=(FlowArena&& other) noexcept {
    std::swap(source_, other.source_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

}  // namespace podlane
