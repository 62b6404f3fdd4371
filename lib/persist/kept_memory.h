// An array that outlives the process: a mapped file, with a header that describes its content.
//
// A process that opens it finds what the process before left at the moment of its end, even after
// kill -9, and must cope with items that were half written. The file belongs on a tmpfs or
// hugetlbfs: its content is worthless after the machine's next boot, and is refused then.
//
// Threads: one opens, reserves and closes; any may use the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace podlane {

/// What a file must hold to be used again.
struct MemoryLayout {
    std::string_view kind;    ///< "flows, IPv4": at most 31 characters
    uint32_t version = 0;     ///< of an item's form; raised when its meaning changes
    uint32_t item_bytes = 0;  ///< catches changes without a new version
    uint64_t items = 0;
};

class KeptMemory {
  public:
    /// Opens the file, or makes a new one if there is none or it does not match; note() then says
    /// why. Its folder must exist. An error if another process has it open, or none can be made.
    [[nodiscard]] static Result<KeptMemory> open(const std::string& path,
                                                 const MemoryLayout& layout);
    KeptMemory(KeptMemory&& from) noexcept;
    KeptMemory& operator=(KeptMemory&&) = delete;
    ~KeptMemory();

    /// Aligned to a page; items that were never written are zeros.
    [[nodiscard]] void* data() const noexcept;
    /// Bytes of all items.
    [[nodiscard]] size_t bytes() const noexcept { return data_bytes_; }
    /// Whether an earlier process left the file.
    [[nodiscard]] bool was_there() const noexcept { return was_there_; }
    /// One line on why an existing file is not used; empty: it is used, or there was none.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }

    /// How many items have memory of the file system. Touching others may end the process (SIGBUS)
    /// if the file system is full.
    [[nodiscard]] uint64_t reserved() const noexcept;
    /// The number of reserved items up to the last one that was ever touched, or a neighbour of it;
    /// all of a huge page are neighbours, and count once it has memory.
    [[nodiscard]] uint64_t touched() const noexcept;
    /// Raises reserved() to at least `items`, in huge pages if the kernel can. False, with no
    /// change, if the file system has no room.
    [[nodiscard]] bool reserve(uint64_t items) noexcept;
    /// Backs the items beyond reserved(), which must be untouched, with memory of this process
    /// alone. False: there is none.
    [[nodiscard]] bool give_up_rest() noexcept;
    /// Puts the file in the place of another one. False: it stays where it is.
    [[nodiscard]] bool move_to(const std::string& path) noexcept;
    /// Removes the file; the memory stays as long as this object.
    void remove() noexcept;

  private:
    friend class LeftMemory;
    struct Header;
    KeptMemory() = default;
    /// Why the open file cannot be used; empty: it can, and is mapped.
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

/// What a process has left in such a file, or still has in it while it rests; to read, whatever its
/// number of items. It stays readable when the file is removed or replaced.
class LeftMemory {
  public:
    /// An Error says why the items cannot be used: of another kind, version or size, or from before
    /// the machine's last boot. The number in `layout` is ignored.
    [[nodiscard]] static Result<LeftMemory> open(const std::string& path,
                                                 const MemoryLayout& layout);
    LeftMemory(LeftMemory&& from) noexcept;
    LeftMemory& operator=(LeftMemory&&) = delete;
    ~LeftMemory();

    [[nodiscard]] const void* data() const noexcept;
    /// The number that the file has room for.
    [[nodiscard]] uint64_t items() const noexcept { return items_; }
    /// The number of items, from the first, that may have been used.
    [[nodiscard]] uint64_t used() const noexcept { return used_; }

  private:
    LeftMemory() = default;

    void* mapped_ = nullptr;
    size_t mapped_bytes_ = 0;
    uint64_t items_ = 0;
    uint64_t used_ = 0;
};

/// The kernel's id of the machine's present boot.
[[nodiscard]] std::string boot_id();

}  // namespace podlane
