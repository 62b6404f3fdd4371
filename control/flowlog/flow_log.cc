#include "control/flowlog/flow_log.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "control/flowlog/flow_line.h"

namespace podlane::control {

namespace {

/// A socket connected to the collector; -1 with errno on failure.
int connect_to(const ListenPlace& place) {
    const bool is_v6 = place.address.is_v6();
    const int fd =
        ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return fd;
    const RawAddress raw = RawAddress::from(place.address);
    sockaddr_storage storage{};
    socklen_t bytes = 0;
    if (is_v6) {
        sockaddr_in6 to{};
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(place.port);
        std::memcpy(&to.sin6_addr, raw.bytes.data(), sizeof(to.sin6_addr));
        std::memcpy(&storage, &to, bytes = sizeof(to));
    } else {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(place.port);
        std::memcpy(&to.sin_addr, raw.bytes.data(), sizeof(to.sin_addr));
        std::memcpy(&storage, &to, bytes = sizeof(to));
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), bytes) == 0) return fd;
    ::close(fd);
    return -1;
}

}  // namespace

LineFile::~LineFile() {
    if (fd_ >= 0) ::close(fd_);
}

bool LineFile::open() {
    if (fd_ >= 0) return true;
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct stat about {};
    if (fd_ >= 0 && ::fstat(fd_, &about) == 0) bytes_ = static_cast<uint64_t>(about.st_size);
    if (fd_ < 0 && !has_failed_) {
        spdlog::error("flowLog.file: {}: {}; tried again", path_, std::strerror(errno));
    }
    if (fd_ >= 0 && has_failed_) spdlog::info("flowLog.file: {} is written again", path_);
    has_failed_ = fd_ < 0;
    return fd_ >= 0;
}

void LineFile::add(const std::string& line) {
    if (path_.empty()) return;
    if (buffer_.size() + line.size() > kMostBuffered) {
        ++unwritten_;
        return;
    }
    buffer_ += line;
    ++lines_;
}

uint64_t LineFile::flush() {
    uint64_t lost = std::exchange(unwritten_, 0);
    if (buffer_.empty()) return lost;
    if (!open()) {
        lost += std::exchange(lines_, 0);
        buffer_.clear();
        return lost;
    }
    const ssize_t done = ::write(fd_, buffer_.data(), buffer_.size());
    if (done != static_cast<ssize_t>(buffer_.size())) {
        // Half a line may have been written, so the next lines go to a new file.
        if (!has_failed_) {
            spdlog::error("flowLog.file: {}: {}; tried again", path_,
                          done < 0 ? std::strerror(errno) : "the disk is full");
        }
        has_failed_ = true;
        lost += lines_;
        bytes_ = most_;
    } else {
        bytes_ += buffer_.size();
    }
    lines_ = 0;
    buffer_.clear();
    if (bytes_ >= most_) {
        // A pipe or a device is not renamed.
        struct stat file {};
        const bool is_file = ::fstat(fd_, &file) == 0 && S_ISREG(file.st_mode);
        ::close(std::exchange(fd_, -1));
        const std::string before = path_ + ".1";
        if (is_file && std::rename(path_.c_str(), before.c_str()) != 0) {
            spdlog::warn("flowLog.file: {}: {}", before, std::strerror(errno));
        }
        bytes_ = 0;
    }
    return lost;
}

FlowLog::FlowLog(const FlowLogConfig& config)
    : config_(config), file_(config.file, config.file_bytes), ipfix_(config.domain) {}

FlowLog::~FlowLog() {
    flush();
    if (socket_ >= 0) ::close(socket_);
}

uint64_t FlowLog::now_ms() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

void FlowLog::write(const LoggedFlow& flow) {
    ++stats_.written;
    if (!config_.file.empty()) file_.add(flow_line(flow));
    if (!config_.ipfix || ipfix_.add(flow)) return;
    send_records();
    (void)ipfix_.add(flow);  // the first record of a message always fits
}

bool FlowLog::try_send(const std::string& message) {
    if (socket_ < 0) socket_ = connect_to(*config_.ipfix);
    return socket_ >= 0 && ::send(socket_, message.data(), message.size(), MSG_NOSIGNAL) ==
                               static_cast<ssize_t>(message.size());
}

void FlowLog::send(const std::string& message, uint64_t records) {
    bool is_sent = try_send(message);
    const bool is_refused = !is_sent && errno == ECONNREFUSED;
    const bool has_failed = !is_sent;
    if (has_failed && !has_failed_) {
        spdlog::warn("flowLog.ipfix: {}: {}",
                     to_string(config_.ipfix->address, config_.ipfix->port), std::strerror(errno));
    }
    // The error reports that the previous message was refused; this one was not sent.
    if (is_refused) {
        stats_.lost += sent_records_;
        is_sent = try_send(message);
    }
    if (has_failed) ipfix_.forget_templates();
    if (!has_failed && has_failed_) spdlog::info("flowLog.ipfix: the collector is reached again");
    has_failed_ = has_failed;
    sent_records_ = is_sent ? records : 0;
    if (!is_sent) stats_.lost += records;
}

void FlowLog::send_records() {
    const uint64_t now = now_ms();
    if (ipfix_.templates_due(now)) send(ipfix_.templates(now), 0);
    const size_t records = ipfix_.records();
    send(ipfix_.finish(now), records);
}

void FlowLog::flush() {
    if (config_.ipfix && ipfix_.records() != 0) send_records();
    stats_.lost += file_.flush();
}

}  // namespace podlane::control
