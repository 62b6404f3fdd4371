#include "lib/persist/kept_memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>

#include "lib/persist/checksum.h"

namespace podlane {

/// The file's beginning, in kHeaderBytes, so that the items are aligned for huge pages.
struct KeptMemory::Header {
    std::array<char, 8> magic;
    uint32_t checksum;  ///< of the members from `version` to `boot`
    uint32_t version;
    uint32_t item_bytes;
    uint32_t unused;
    uint64_t items;
    std::array<char, 32> kind;
    std::array<char, 40> boot;
    std::atomic<uint64_t> reserved;  ///< items; raised after they got memory

    [[nodiscard]] uint32_t sum() const noexcept {
        const auto* from = reinterpret_cast<const std::byte*>(&version);
        const auto* to = reinterpret_cast<const std::byte*>(&reserved);
        return crc32c({from, to});
    }
    /// Why the items behind it are none of these, their number apart; empty: they are.
    [[nodiscard]] std::string why_not(const MemoryLayout& layout) const;
};

namespace {

constexpr std::array<char, 8> kMagic{'P', 'o', 'd', 'M', 'e', 'm', '\r', '\n'};
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kHeaderBytes = kHugePage;
/// linux/mman.h; Linux 6.1.
constexpr int kMadvCollapse = 25;

template <size_t N>
void put_text(std::array<char, N>& to, std::string_view text) {
    to.fill('\0');
    std::copy_n(text.begin(), std::min(text.size(), N - 1), to.begin());
}

template <size_t N>
std::string_view text_of(const std::array<char, N>& from) {
    return {from.data(), ::strnlen(from.data(), N)};
}

Error system_error(const std::string& path, const char* what) {
    return Error{path + ": cannot " + what + ": " + std::strerror(errno), path};
}

std::string differs(const char* what, uint64_t there, uint64_t here) {
    return std::string(what) + " " + std::to_string(there) + ", and this is " +
           std::to_string(here);
}

/// Of the first `items` those up to the last that stands in a page with content. Memory that was
/// reserved and not touched is a hole to lseek().
uint64_t touched_items(int fd, uint64_t items, size_t item_bytes) noexcept {
    constexpr unsigned kMostExtents = 100'000;
    const auto end = static_cast<off_t>(kHeaderBytes + items * item_bytes);
    auto last = static_cast<off_t>(kHeaderBytes);
    for (unsigned i = 0; i < kMostExtents; ++i) {
        const off_t data = ::lseek(fd, last, SEEK_DATA);
        if (data < 0 && errno != ENXIO) return items;
        if (data < 0 || data >= end) break;
        const off_t hole = ::lseek(fd, data, SEEK_HOLE);
        if (hole < 0 || i + 1 == kMostExtents) return items;
        last = hole;
        if (last >= end) return items;
    }
    const size_t bytes = static_cast<size_t>(last) - kHeaderBytes;
    return std::min<uint64_t>(items, (bytes + item_bytes - 1) / item_bytes);
}

constexpr size_t round_up(size_t bytes, size_t unit) noexcept {
    return (bytes + unit - 1) / unit * unit;
}

/// Maps a file at an address where its huge pages can be mapped as such; null: it cannot.
void* map_aligned(int fd, size_t bytes) noexcept {
    const size_t room_bytes = round_up(bytes, kHugePage) + kHugePage;
    void* const room =
        ::mmap(nullptr, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(room);
    auto* const end = begin + room_bytes;
    const size_t before = -reinterpret_cast<uintptr_t>(room) % kHugePage;
    void* const memory =
        ::mmap(begin + before, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    if (memory == MAP_FAILED) {
        ::munmap(room, room_bytes);
        return nullptr;
    }
    std::byte* const mapped_end = begin + before + round_up(bytes, 4096);
    if (before > 0) ::munmap(begin, before);
    if (end > mapped_end) ::munmap(mapped_end, static_cast<size_t>(end - mapped_end));
    return memory;
}

/// What stands in the way of using the open file at all; an errno of the system's is an Error.
Result<std::string> file_fault(int fd, const std::string& path, size_t& file_bytes) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return system_error(path, "be read");
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
        return std::string("others may write it");
    }
    file_bytes = static_cast<size_t>(info.st_size);
    return std::string(file_bytes < kHeaderBytes ? "it is no such memory" : "");
}

}  // namespace

std::string KeptMemory::Header::why_not(const MemoryLayout& layout) const {
    if (magic != kMagic || checksum != sum()) return "it is no such memory";
    if (text_of(kind) != layout.kind) return "it holds " + std::string(text_of(kind));
    if (version != layout.version) return differs("its version is", version, layout.version);
    if (item_bytes != layout.item_bytes) {
        return differs("an item's bytes are", item_bytes, layout.item_bytes);
    }
    if (text_of(boot) != boot_id()) return "it is of before the machine's last start";
    if (reserved.load(std::memory_order_relaxed) > items) return "it is no such memory";
    return {};
}

std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
}

KeptMemory::KeptMemory(KeptMemory&& from) noexcept
    : path_(std::move(from.path_)),
      fd_(std::exchange(from.fd_, -1)),
      header_(std::exchange(from.header_, nullptr)),
      item_bytes_(from.item_bytes_),
      data_bytes_(from.data_bytes_),
      mapped_bytes_(from.mapped_bytes_),
      was_there_(from.was_there_),
      note_(std::move(from.note_)) {}

KeptMemory::~KeptMemory() {
    unmap();
    if (fd_ >= 0) ::close(fd_);
}

void* KeptMemory::data() const noexcept {
    return reinterpret_cast<std::byte*>(header_) + kHeaderBytes;
}

bool KeptMemory::map(size_t file_bytes) noexcept {
    void* const memory = map_aligned(fd_, file_bytes);
    if (memory == nullptr) return false;
    header_ = static_cast<Header*>(memory);
    mapped_bytes_ = file_bytes;
    return true;
}

void KeptMemory::unmap() noexcept {
    if (header_ != nullptr) ::munmap(header_, mapped_bytes_);
    header_ = nullptr;
}

Result<std::string> KeptMemory::take(const MemoryLayout& layout) {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) return system_error(path_, "be locked");
    size_t file_bytes = 0;
    auto fault = file_fault(fd_, path_, file_bytes);
    if (!fault.ok() || !fault->empty()) return fault;
    if (!map(file_bytes)) return system_error(path_, "be mapped");
    std::string why = header_->why_not(layout);
    if (why.empty() && header_->items != layout.items) {
        why = differs("its number of items is", header_->items, layout.items);
    }
    if (why.empty() && file_bytes != kHeaderBytes + data_bytes_) why = "its end is missing";
    return why;
}

// Made beside the path and renamed: the file at the path is whole at any time.
Result<void> KeptMemory::make(const MemoryLayout& layout) {
    const size_t file_bytes = kHeaderBytes + data_bytes_;
    const std::string beside = path_ + ".new";
    ::unlink(beside.c_str());
    fd_ = ::open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0) return system_error(beside, "be made");
    const bool has_room = ::flock(fd_, LOCK_EX | LOCK_NB) == 0 &&
                          ::ftruncate(fd_, static_cast<off_t>(file_bytes)) == 0 &&
                          ::fallocate(fd_, 0, 0, sizeof(Header)) == 0;
    if (!has_room || !map(file_bytes)) {
        const Error error = system_error(beside, "be made");
        ::unlink(beside.c_str());
        return error;
    }
    Header& header = *header_;
    header.magic = kMagic;
    header.version = layout.version;
    header.item_bytes = layout.item_bytes;
    header.items = layout.items;
    put_text(header.kind, layout.kind);
    put_text(header.boot, boot_id());
    header.reserved.store(0, std::memory_order_relaxed);
    header.checksum = header.sum();
    if (std::rename(beside.c_str(), path_.c_str()) != 0) return system_error(path_, "be made");
    return {};
}

Result<KeptMemory> KeptMemory::open(const std::string& path, const MemoryLayout& layout) {
    KeptMemory memory;
    memory.path_ = path;
    memory.item_bytes_ = layout.item_bytes;
    memory.data_bytes_ = layout.items * layout.item_bytes;
    memory.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (memory.fd_ >= 0) {
        auto why = memory.take(layout);
        if (!why.ok()) return why.error();
        if (why->empty()) {
            memory.was_there_ = true;
            return memory;
        }
        memory.note_ = path + " is refused, and made anew: " + *why;
        memory.unmap();
        ::close(std::exchange(memory.fd_, -1));
    } else if (errno != ENOENT) {
        return system_error(path, "be opened");
    }
    if (auto made = memory.make(layout); !made.ok()) return made.error();
    return memory;
}

uint64_t KeptMemory::reserved() const noexcept {
    return header_->reserved.load(std::memory_order_relaxed);
}

uint64_t KeptMemory::touched() const noexcept {
    return touched_items(fd_, reserved(), item_bytes_);
}

bool KeptMemory::reserve(uint64_t items) noexcept {
    const uint64_t have = reserved();
    if (std::min(items, header_->items) <= have) return true;
    // Whole huge pages, as far as the file has them.
    const size_t from = std::min(round_up(have * item_bytes_, kHugePage), data_bytes_);
    const size_t to = std::min(round_up(items * item_bytes_, kHugePage), data_bytes_);
    if (to > from) {
        if (::fallocate(fd_, 0, static_cast<off_t>(kHeaderBytes + from),
                        static_cast<off_t>(to - from)) != 0) {
            return false;
        }
        // The kernel does this on demand, whatever it is told of the file system. Where it cannot,
        // small pages stay. Nobody uses this memory yet.
        (void)::madvise(static_cast<std::byte*>(data()) + from, to - from, kMadvCollapse);
    }
    header_->reserved.store(to / item_bytes_, std::memory_order_relaxed);
    return true;
}

bool KeptMemory::give_up_rest() noexcept {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    // The page that reserve() ended in belongs to the file as a whole.
    const size_t from = (reserved() * item_bytes_ + page - 1) / page * page;
    if (from >= data_bytes_) return true;
    void* const rest = static_cast<std::byte*>(data()) + from;
    return ::mmap(rest, data_bytes_ - from, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool KeptMemory::move_to(const std::string& path) noexcept {
    if (std::rename(path_.c_str(), path.c_str()) != 0) return false;
    path_ = path;
    return true;
}

void KeptMemory::remove() noexcept {
    ::unlink(path_.c_str());
}

LeftMemory::LeftMemory(LeftMemory&& from) noexcept
    : mapped_(std::exchange(from.mapped_, nullptr)),
      mapped_bytes_(from.mapped_bytes_),
      items_(from.items_),
      used_(from.used_) {}

LeftMemory::~LeftMemory() {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

const void* LeftMemory::data() const noexcept {
    return static_cast<const std::byte*>(mapped_) + kHeaderBytes;
}

Result<LeftMemory> LeftMemory::open(const std::string& path, const MemoryLayout& layout) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return system_error(path, "be opened");
    LeftMemory out;
    auto fault = file_fault(fd, path, out.mapped_bytes_);
    if (fault.ok() && fault->empty()) {
        void* const memory = ::mmap(nullptr, out.mapped_bytes_, PROT_READ, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) {
            fault = system_error(path, "be mapped");
        } else {
            out.mapped_ = memory;
        }
    }
    if (fault.ok() && fault->empty()) {
        const auto& header = *static_cast<const KeptMemory::Header*>(out.mapped_);
        *fault = header.why_not(layout);
        out.items_ = header.items;
        out.used_ =
            touched_items(fd, header.reserved.load(std::memory_order_relaxed), layout.item_bytes);
        if (fault->empty() && out.items_ > (out.mapped_bytes_ - kHeaderBytes) / layout.item_bytes) {
            *fault = "its end is missing";
        }
    }
    ::close(fd);
    if (!fault.ok()) return fault.error();
    if (!fault->empty()) return Error{path + ": " + *fault, path};
    return out;
}

}  // namespace podlane
