// Keys and values that outlive the process: a file to which each change is appended.
//
// A change is one record with a checksum: after kill -9 in the middle of one, or a power failure,
// the file holds all of it or none. Bytes after the last whole record are cut off. When most of the
// file is history, a new file is written beside it and renamed, so the path always has either the
// old or the new one. docs/decisions/restart.md says what is safe when.
//
// Threads: one. Only sync() works on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace podlane {

class KeyLog {
  public:
    using Values = std::map<std::string, std::string, std::less<>>;
    /// Values to put, and keys to erase (nullopt): all of them or none.
    using Change = std::vector<std::pair<std::string, std::optional<std::string>>>;

    /// Reads the file, or makes one, and its folder, if there is none. A file that is not such a
    /// log, or has another `format`, is put aside as PATH.refused. Failures are in note(); the log
    /// is behind then.
    [[nodiscard]] static KeyLog open(std::string path, uint32_t format);
    /// What the file holds now, which another process may be writing; nothing is changed. An Error
    /// says why open() would begin anew.
    [[nodiscard]] static Result<Values> look(const std::string& path, uint32_t format);
    KeyLog(KeyLog&& from) noexcept;
    KeyLog& operator=(KeyLog&&) = delete;
    ~KeyLog();

    /// What was committed, on disk or not.
    [[nodiscard]] const Values& values() const noexcept { return values_; }
    /// One line on what was wrong with the opened file; empty: nothing.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Makes the change and hands it to the kernel: kill -9 does not lose it from here on. On an
    /// error values() has it and the file does not: is_behind().
    Result<void> commit(Change change);
    /// Whether the file lacks something in values(), because a write failed or the file is not in
    /// its place; rewrite() repairs it.
    [[nodiscard]] bool is_behind() const;
    /// Whether most of the file is history.
    [[nodiscard]] bool is_long() const noexcept;
    /// Writes all values to a new file in place of the old one, and waits until they are safe from
    /// a power failure.
    Result<void> rewrite();
    /// Begins to make what was committed so far safe from a power failure; returns the error of the
    /// previous call, if that failed.
    Result<void> sync();
    /// Removes the file; nothing is written from then on.
    void remove() noexcept;

  private:
    KeyLog(std::string path, uint32_t format) : path_(std::move(path)), format_(format) {}
    Result<void> open_file();
    /// Reads the open file. The text says why it is to be put aside; empty: it is good.
    Result<std::string> read();
    Result<void> put_aside(const std::string& why);
    [[nodiscard]] Error failed(const char* what) const;
    void take(const Change& change);
    void join() noexcept;

    std::string path_;
    uint32_t format_;
    int fd_ = -1;
    bool behind_ = false;
    bool removed_ = false;
    bool dirty_ = false;
    uint64_t file_bytes_ = 0;   ///< up to the end of the last whole record
    uint64_t value_bytes_ = 0;  ///< the part that present values take
    Values values_;
    std::string note_;
    std::thread syncing_;
    std::atomic<int> sync_errno_{0};  ///< set by the thread, for sync()
};

}  // namespace podlane
