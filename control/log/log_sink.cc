#include "control/log/log_sink.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "lib/base/printable.h"

namespace podlane::control {

uint64_t LogSink::lost() {
    const std::lock_guard lock(mutex_);
    return lost_;
}

bool LogSink::write_line(std::string_view line) {
    pollfd room{fd_, POLLOUT, 0};
    // A writable pipe or socket accepts a line of this size without blocking. The descriptor is not
    // made non-blocking, because other processes may share it.
    if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return false;
    ssize_t done = 0;
    do {
        done = ::write(fd_, line.data(), line.size());
    } while (done < 0 && errno == EINTR);
    return done == static_cast<ssize_t>(line.size());
}

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t formatted;
    base_sink<std::mutex>::formatter_->format(message, formatted);
    std::string_view text(formatted.data(), formatted.size());
    while (text.ends_with('\n')) text.remove_suffix(1);
    std::string line = printable(text);
    if (line.size() >= kMostLineBytes) {
        size_t size = kMostLineBytes - 1;
        while ((line[size] & 0xc0) == 0x80) --size;  // do not cut a character
        line.resize(size);
    }
    line += '\n';
    if (untold_ != 0 &&
        write_line(fmt::format("{} lines of the log were lost: it was not read\n", untold_)))
        untold_ = 0;
    if (untold_ != 0 || !write_line(line)) {
        ++lost_;
        ++untold_;
    }
}

}  // namespace podlane::control
