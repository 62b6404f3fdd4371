#include "lib/persist/key_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>

#include "lib/persist/checksum.h"

namespace podlane {

namespace {

/// The file's beginning.
struct FileHeader {
    std::array<char, 8> magic{'P', 'o', 'd', 'L', 'o', 'g', '\r', '\n'};
    uint32_t format = 0;
    uint32_t checksum = 0;  ///< of the members before it
};
static_assert(sizeof(FileHeader) == 16);

/// Precedes each record's body.
struct RecordHeader {
    uint32_t body_bytes = 0;
    uint32_t checksum = 0;  ///< of body_bytes and the body
};

constexpr uint32_t kErased = UINT32_MAX;
constexpr uint64_t kEntryBytes = 2 * sizeof(uint32_t);
/// A shorter file never counts as long.
constexpr uint64_t kShortBytes = uint64_t{1} << 20;
constexpr size_t kRewriteBytes = size_t{1} << 20;  ///< approximate size of a record in a new file

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

uint32_t header_checksum(const FileHeader& header) {
    return crc32c(bytes_of(header).first(offsetof(FileHeader, checksum)));
}

void add(std::string& to, uint32_t number) {
    to.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void add_entry(std::string& record, std::string_view key, const std::string* value) {
    add(record, static_cast<uint32_t>(key.size()));
    add(record, value == nullptr ? kErased : static_cast<uint32_t>(value->size()));
    record += key;
    if (value != nullptr) record += *value;
}

uint32_t record_checksum(std::string_view body) {
    const auto length = static_cast<uint32_t>(body.size());
    return crc32c(std::as_bytes(std::span(body)), crc32c(bytes_of(length)));
}

/// Fills in the header of a record with its body at sizeof(RecordHeader).
void finish(std::string& record) {
    const std::string_view body = std::string_view(record).substr(sizeof(RecordHeader));
    const RecordHeader header{static_cast<uint32_t>(body.size()), record_checksum(body)};
    std::memcpy(record.data(), &header, sizeof(header));
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::write(fd, bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(done));
    }
    return true;
}

/// The entries of a body; none if it is malformed.
std::optional<KeyLog::Change> read_body(std::string_view body) {
    KeyLog::Change change;
    while (!body.empty()) {
        if (body.size() < kEntryBytes) return std::nullopt;
        uint32_t key_bytes = 0, value_bytes = 0;
        std::memcpy(&key_bytes, body.data(), sizeof(key_bytes));
        std::memcpy(&value_bytes, body.data() + sizeof(key_bytes), sizeof(value_bytes));
        body.remove_prefix(kEntryBytes);
        const uint64_t value_room = value_bytes == kErased ? 0 : value_bytes;
        if (key_bytes + value_room > body.size()) return std::nullopt;
        auto& [key, value] = change.emplace_back(body.substr(0, key_bytes), std::nullopt);
        if (value_bytes != kErased) value = std::string(body.substr(key_bytes, value_bytes));
        body.remove_prefix(key_bytes + static_cast<size_t>(value_room));
    }
    return change;
}

void sync_folder(const std::string& path) noexcept {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);
    ::close(fd);
}

}  // namespace

KeyLog::KeyLog(KeyLog&& from) noexcept
    : path_(std::move(from.path_)),
      format_(from.format_),
      fd_(std::exchange(from.fd_, -1)),
      behind_(from.behind_),
      removed_(from.removed_),
      dirty_(from.dirty_),
      file_bytes_(from.file_bytes_),
      value_bytes_(from.value_bytes_),
      values_(std::move(from.values_)),
      note_(std::move(from.note_)) {
    from.join();  // its thread writes to a member of `from`
    sync_errno_ = from.sync_errno_.load();
}

KeyLog::~KeyLog() {
    join();
    if (fd_ >= 0) ::close(fd_);
}

void KeyLog::join() noexcept {
    if (syncing_.joinable()) syncing_.join();
}

Error KeyLog::failed(const char* what) const {
    return Error{path_ + ": cannot " + what + ": " + std::strerror(errno), path_};
}

KeyLog KeyLog::open(std::string path, uint32_t format) {
    KeyLog log(std::move(path), format);
    if (auto opened = log.open_file(); !opened.ok()) {
        log.note_ = opened.error().message;
        log.behind_ = true;
    }
    return log;
}

Result<void> KeyLog::open_file() {
    fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd_ < 0 && errno != ENOENT) return failed("be opened");
    if (fd_ >= 0) {
        const auto fault = read();
        if (!fault.ok()) return fault.error();
        if (!fault->empty()) {
            if (auto done = put_aside(*fault); !done.ok()) return done;
        } else if (!note_.empty() && ::ftruncate(fd_, static_cast<off_t>(file_bytes_)) != 0) {
            // A remainder that cannot be cut off must not come before later records.
            behind_ = true;
        }
    }
    // There was none, or it was put aside.
    return fd_ < 0 ? rewrite() : Result<void>();
}

Result<KeyLog::Values> KeyLog::look(const std::string& path, uint32_t format) {
    KeyLog log(path, format);
    log.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (log.fd_ < 0) return log.failed("be opened");
    const auto fault = log.read();
    if (!fault.ok()) return fault.error();
    if (!fault->empty()) return Error{path + ": " + *fault, path};
    return std::move(log.values_);
}

Result<std::string> KeyLog::read() {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return failed("be read");
    if (!S_ISREG(info.st_mode)) return Error{path_ + ": this is not a file", path_};
    std::string text(static_cast<size_t>(info.st_size), '\0');
    size_t got = 0;
    while (got < text.size()) {
        const ssize_t part =
            ::pread(fd_, text.data() + got, text.size() - got, static_cast<off_t>(got));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return failed("be read");
        if (part == 0) break;
        got += static_cast<size_t>(part);
    }
    text.resize(got);
    FileHeader header;
    if (text.size() < sizeof(header)) return std::string("it is cut off within its header");
    std::memcpy(&header, text.data(), sizeof(header));
    if (header.magic != FileHeader{}.magic || header.checksum != header_checksum(header)) {
        return std::string("it is no journal");
    }
    if (header.format != format_) {
        return "its format is " + std::to_string(header.format) + ", and this is " +
               std::to_string(format_);
    }
    std::string_view rest = std::string_view(text).substr(sizeof(header));
    while (rest.size() >= sizeof(RecordHeader)) {
        RecordHeader record;
        std::memcpy(&record, rest.data(), sizeof(record));
        if (record.body_bytes > rest.size() - sizeof(record)) break;
        const std::string_view body = rest.substr(sizeof(record), record.body_bytes);
        if (record.checksum != record_checksum(body)) break;
        const auto change = read_body(body);
        if (!change) break;
        take(*change);
        rest.remove_prefix(sizeof(record) + body.size());
    }
    file_bytes_ = text.size() - rest.size();
    if (!rest.empty()) {
        note_ = path_ + ": " + std::to_string(rest.size()) +
                " bytes behind the last whole record are cut off";
    }
    return std::string();
}

Result<void> KeyLog::put_aside(const std::string& why) {
    ::close(std::exchange(fd_, -1));
    const std::string aside = path_ + ".refused";
    note_ = path_ + " is refused: " + why + "; it is now " + aside;
    if (std::rename(path_.c_str(), aside.c_str()) != 0) return failed("be put aside");
    return {};
}

void KeyLog::take(const Change& change) {
    for (const auto& [key, value] : change) {
        if (const auto at = values_.find(key); at != values_.end()) {
            value_bytes_ -= kEntryBytes + key.size() + at->second.size();
            if (!value) values_.erase(at);
        }
        if (!value) continue;
        value_bytes_ += kEntryBytes + key.size() + value->size();
        values_.insert_or_assign(key, *value);
    }
}

Result<void> KeyLog::commit(Change change) {
    if (removed_ || change.empty()) return {};
    std::string record(sizeof(RecordHeader), '\0');
    for (const auto& [key, value] : change) add_entry(record, key, value ? &*value : nullptr);
    finish(record);
    take(change);
    // A file that lacks a change must not get a later one: rewrite() writes both.
    if (behind_) return Error{path_ + ": lacks earlier changes", path_};
    dirty_ = true;
    if (write_all(fd_, record)) {
        file_bytes_ += record.size();
        return {};
    }
    const Error error = failed("be written");
    behind_ = true;
    // Only for tidiness: half a record is cut off when the file is read.
    (void)!::ftruncate(fd_, static_cast<off_t>(file_bytes_));
    return error;
}

bool KeyLog::is_behind() const {
    if (removed_) return false;
    if (behind_) return true;
    struct stat ours {};
    struct stat there {};
    return ::fstat(fd_, &ours) != 0 || ::stat(path_.c_str(), &there) != 0 ||
           ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

bool KeyLog::is_long() const noexcept {
    return file_bytes_ > kShortBytes && file_bytes_ / 2 > value_bytes_;
}

Result<void> KeyLog::rewrite() {
    if (removed_) return {};
    join();
    const std::string beside = path_ + ".new";
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
    const int fd = ::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return failed("be written");
    FileHeader header;
    header.format = format_;
    header.checksum = header_checksum(header);
    std::string text(reinterpret_cast<const char*>(&header), sizeof(header));
    bool good = write_all(fd, text);
    uint64_t written = text.size();
    for (auto at = values_.begin(); good && at != values_.end();) {
        std::string record(sizeof(RecordHeader), '\0');
        for (; at != values_.end() && record.size() < kRewriteBytes; ++at) {
            add_entry(record, at->first, &at->second);
        }
        finish(record);
        good = write_all(fd, record);
        written += record.size();
    }
    if (!good || ::fdatasync(fd) != 0 || std::rename(beside.c_str(), path_.c_str()) != 0) {
        const Error error = failed("be written");
        ::close(fd);
        ::unlink(beside.c_str());
        behind_ = true;
        return error;
    }
    sync_folder(path_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    file_bytes_ = written;
    behind_ = dirty_ = false;
    return {};
}

Result<void> KeyLog::sync() {
    if (const int failure = sync_errno_.exchange(0); failure != 0) {
        behind_ = true;
        errno = failure;
        return failed("be made safe");
    }
    if (!dirty_ || removed_ || behind_) return {};
    join();
    dirty_ = false;
    try {
        syncing_ = std::thread([this, fd = fd_] {
            if (::fdatasync(fd) != 0) sync_errno_ = errno;
        });
    } catch (const std::system_error&) {
        dirty_ = true;  // next time
    }
    return {};
}

void KeyLog::remove() noexcept {
    join();
    removed_ = true;
    ::unlink(path_.c_str());
}

}  // namespace podlane
