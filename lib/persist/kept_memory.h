// An array that outlives the process: a file that is mapped, with a header that says what it holds.
//
// Whoever opens it finds what the process before left at the moment of its end, kill -9 included,
// and has to make sense of items that were half written. Its file belongs on a tmpfs or hugetlbfs:
// what is there is worth nothing after the machine's next start, and is refused then.
//
// Threads: one opens, reserves and closes; the memory is for any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace podlane {

/// What the file has to hold to be used again.
struct MemoryLayout {
    std::string_view kind;    ///< "flows, IPv4": at most 31 characters
    uint32_t version = 0;     ///< of an item's form; raised when its meaning changes
    uint32_t item_bytes = 0;  ///< catches changes that nobody raised the version for
    uint64_t items = 0;
};

class KeptMemory {
  public:
    /// Opens the file, or makes a new one where it is not there or does not fit; note() then says
    /// why. Its folder is there. An error if another process has it, or none can be made.
    [[nodiscard]] static Result<KeptMemory> open(const std::string& path,
                                                 const MemoryLayout& layout);
    KeptMemory(KeptMemory&& from) noexcept;
    KeptMemory& operator=(KeptMemory&&) = delete;
    ~KeptMemory();

    /// Aligned to a page; items that were never written are zeros.
    [[nodiscard]] void* data() const noexcept;
    /// Bytes of all items.
    [[nodiscard]] size_t bytes() const noexcept { return data_bytes_; }
    /// Whether a process before this one has left it.
    [[nodiscard]] bool was_there() const noexcept { return was_there_; }
    /// Why the file that was there is not used, a line; empty: it is, or there was none.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }

    /// Items that have memory of the file system's; touching others may end the process (SIGBUS)
    /// where that is full.
    [[nodiscard]] uint64_t reserved() const noexcept;
    /// Of the reserved ones the first, up to the last that anybody has touched, or its neighbour.
    [[nodiscard]] uint64_t touched() const noexcept;
    /// Makes that at least `items`. False where the file system has no room: it stays as it was.
    [[nodiscard]] bool reserve(uint64_t items) noexcept;
    /// Gives the items beyond reserved(), which nobody has touched, memory of this process alone.
    /// False: there is none.
    [[nodiscard]] bool give_up_rest() noexcept;
    /// Puts the file in the place of another one. False: it stays where it is.
    [[nodiscard]] bool move_to(const std::string& path) noexcept;
    /// Removes the file; the memory stays until the end.
    void remove() noexcept;

  private:
    friend class LeftMemory;
    struct Header;
    KeptMemory() = default;
    /// Why the file that is open cannot be used; empty: it is mapped.
    [[nodiscard]] Result<std::string> take(const MemoryLayout& layout);
    [[nodiscard]] Result<void> make(const MemoryLayout& layout);
    [[nodiscard]] bool map(size_t file_bytes) noexcept;
    void unmap() noexcept;

    std::string path_;
    int fd_ = -1;
    Header* header_ = nullptr;
    size_t item_bytes_ = 0;
    size_t data_bytes_ = 0;
    size_t mapped_bytes_ = 0;
    bool was_there_ = false;
    std::string note_;
};

/// What a process has left in such a file, or still has in it while it rests: to read from,
/// whatever its number of items is. It stays readable when the file is removed or replaced.
class LeftMemory {
  public:
    /// An Error says why the items are of no use: of another kind, version or size, of before the
    /// machine's last start; the number in `layout` is of no meaning.
    [[nodiscard]] static Result<LeftMemory> open(const std::string& path,
                                                 const MemoryLayout& layout);
    LeftMemory(LeftMemory&& from) noexcept;
    LeftMemory& operator=(LeftMemory&&) = delete;
    ~LeftMemory();

    [[nodiscard]] const void* data() const noexcept;
    /// Those that the file has room for.
    [[nodiscard]] uint64_t items() const noexcept { return items_; }
    /// Those that may have been used: the first ones.
    [[nodiscard]] uint64_t used() const noexcept { return used_; }

  private:
    LeftMemory() = default;

    void* mapped_ = nullptr;
    size_t mapped_bytes_ = 0;
    uint64_t items_ = 0;
    uint64_t used_ = 0;
};

/// The kernel's name for the machine's present run.
[[nodiscard]] std::string boot_id();

}  // namespace podlane
