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
};

namespace {

constexpr std::array<char, 8> kMagic{'P', 'o', 'd', 'M', 'e', 'm', '\r', '\n'};
constexpr size_t kHeaderBytes = size_t{2} << 20;

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

}  // namespace

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
    void* memory = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) return false;
    header_ = static_cast<Header*>(memory);
    mapped_bytes_ = file_bytes;
    // A hint, for file systems that are mounted with huge pages.
    (void)::madvise(memory, file_bytes, MADV_HUGEPAGE);
    return true;
}

void KeptMemory::unmap() noexcept {
    if (header_ != nullptr) ::munmap(header_, mapped_bytes_);
    header_ = nullptr;
}

std::string KeptMemory::why_not(const MemoryLayout& layout) const {
    const Header& header = *header_;
    if (header.magic != kMagic || header.checksum != header.sum()) return "it is no such memory";
    if (text_of(header.kind) != layout.kind) {
        return "it holds " + std::string(text_of(header.kind));
    }
    const auto differs = [](const char* what, uint64_t there, uint64_t here) {
        return std::string(what) + " " + std::to_string(there) + ", and this is " +
               std::to_string(here);
    };
    if (header.version != layout.version) {
        return differs("its version is", header.version, layout.version);
    }
    if (header.item_bytes != layout.item_bytes) {
        return differs("an item's bytes are", header.item_bytes, layout.item_bytes);
    }
    if (header.items != layout.items) {
        return differs("its number of items is", header.items, layout.items);
    }
    if (text_of(header.boot) != boot_id()) return "it is of before the machine's last start";
    if (header.reserved.load(std::memory_order_relaxed) > header.items) {
        return "it is no such memory";
    }
    return {};
}

Result<std::string> KeptMemory::take(const MemoryLayout& layout) {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) return system_error(path_, "be locked");
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return system_error(path_, "be read");
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
        return std::string("others may write it");
    }
    const auto file_bytes = static_cast<size_t>(info.st_size);
    if (file_bytes < kHeaderBytes) return std::string("it is no such memory");
    if (!map(file_bytes)) return system_error(path_, "be mapped");
    std::string why = why_not(layout);
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

bool KeptMemory::reserve(uint64_t items) noexcept {
    const uint64_t have = reserved();
    const uint64_t wanted = std::min(items, header_->items);
    if (wanted <= have) return true;
    const auto from = static_cast<off_t>(kHeaderBytes + have * item_bytes_);
    const auto bytes = static_cast<off_t>((wanted - have) * item_bytes_);
    if (::fallocate(fd_, 0, from, bytes) != 0) return false;
    header_->reserved.store(wanted, std::memory_order_relaxed);
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

void KeptMemory::remove() noexcept {
    ::unlink(path_.c_str());
}

}  // namespace podlane
