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
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>
#include <utility>

#include "lib/persist/checksum.h"

namespace podlane {

/// The file's beginning; kHeaderBytes are kept free for it, so that the items are aligned for huge
/// pages.
struct KeptMemory::Header {
    std::array<char, 8> magic;
    uint32_t checksum;  ///< of the members from `version` to `boot`
    uint32_t version;
    uint32_t item_bytes;
    uint32_t unused;
    uint64_t items;
    std::array<char, 32> kind;
    std::array<char, 40> boot;
    std::atomic<uint64_t> reserved;  ///< items; raised after they have memory

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
    // A hint, for file systems that are mounted so.
    (void)::madvise(memory, file_bytes, MADV_HUGEPAGE);
    return true;
}

void KeptMemory::unmap() noexcept {
    if (header_ != nullptr) ::munmap(header_, kHeaderBytes + data_bytes_);
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

Result<KeptMemory> KeptMemory::open(const std::string& path, const MemoryLayout& layout) {
    KeptMemory memory;
    memory.path_ = path;
    memory.item_bytes_ = layout.item_bytes;
    memory.data_bytes_ = layout.items * layout.item_bytes;
    const size_t file_bytes = kHeaderBytes + memory.data_bytes_;
    std::error_code ignored;  // opening the file says it better
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    memory.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (memory.fd_ >= 0) {
        if (::flock(memory.fd_, LOCK_EX | LOCK_NB) != 0) return system_error(path, "be locked");
        struct stat info {};
        if (::fstat(memory.fd_, &info) != 0) return system_error(path, "be read");
        std::string why = "its size is " + std::to_string(info.st_size) + " bytes, and this is " +
                          std::to_string(file_bytes);
        if (static_cast<uint64_t>(info.st_size) == file_bytes) {
            if (!memory.map(file_bytes)) return system_error(path, "be mapped");
            why = memory.why_not(layout);
        }
        if (why.empty()) {
            memory.was_there_ = true;
            return memory;
        }
        memory.note_ = path + " is refused, and made anew: " + why;
        memory.unmap();
        ::close(std::exchange(memory.fd_, -1));
    } else if (errno != ENOENT) {
        return system_error(path, "be opened");
    }
    // Beside it and renamed: what stands at the path is whole at any time.
    const std::string beside = path + ".new";
    memory.fd_ = ::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (memory.fd_ < 0) return system_error(beside, "be made");
    const bool has_room = ::flock(memory.fd_, LOCK_EX | LOCK_NB) == 0 &&
                          ::ftruncate(memory.fd_, static_cast<off_t>(file_bytes)) == 0 &&
                          ::fallocate(memory.fd_, 0, 0, sizeof(Header)) == 0;
    if (!has_room || !memory.map(file_bytes)) {
        const Error error = system_error(beside, "be made");
        ::unlink(beside.c_str());
        return error;
    }
    Header& header = *memory.header_;
    header.magic = kMagic;
    header.version = layout.version;
    header.item_bytes = layout.item_bytes;
    header.items = layout.items;
    put_text(header.kind, layout.kind);
    put_text(header.boot, boot_id());
    header.reserved.store(0, std::memory_order_relaxed);
    header.checksum = header.sum();
    if (std::rename(beside.c_str(), path.c_str()) != 0) return system_error(path, "be made");
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

void KeptMemory::remove() noexcept {
    ::unlink(path_.c_str());
}

}  // namespace podlane
