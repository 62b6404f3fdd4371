// The flow log: connections that began, ended or were denied, as IPFIX by UDP and as JSON lines in
// a file.
//
// The daemon owns it; the node model gives it records, a timer flushes it. Records for which a
// receiver has no room are lost and counted; this code never waits for a receiver. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "control/config/flow_log_config.h"
#include "control/flowlog/ipfix.h"
#include "control/show/logged_flow.h"

namespace podlane::control {

/// Lines that are written to a file in batches. When the file is large, it is kept as FILE.1 and a
/// new one is begun.
class LineFile {
  public:
    LineFile(std::string path, uint64_t most_bytes) : path_(std::move(path)), most_(most_bytes) {}
    ~LineFile();
    LineFile(const LineFile&) = delete;
    LineFile& operator=(const LineFile&) = delete;

    void add(const std::string& line);
    /// Writes the added lines; returns the number of lines that could not be written.
    [[nodiscard]] uint64_t flush();

  private:
    static constexpr size_t kMostBuffered = size_t{4} << 20;
    [[nodiscard]] bool open();

    const std::string path_;
    const uint64_t most_;
    int fd_ = -1;
    uint64_t bytes_ = 0;  ///< of the file
    std::string buffer_;
    uint64_t lines_ = 0;      ///< in it
    uint64_t unwritten_ = 0;  ///< for which it had no room
    bool has_failed_ = false;
};

class FlowLog {
  public:
    explicit FlowLog(const FlowLogConfig& config);
    ~FlowLog();
    FlowLog(const FlowLog&) = delete;
    FlowLog& operator=(const FlowLog&) = delete;

    [[nodiscard]] bool is_on() const noexcept { return config_.is_on(); }
    void write(const LoggedFlow& flow);
    /// Sends and writes the gathered records.
    void flush();
    [[nodiscard]] FlowLogStats stats() const noexcept { return stats_; }

  private:
    [[nodiscard]] bool try_send(const std::string& message);
    void send(const std::string& message, uint64_t records);
    void send_records();
    [[nodiscard]] static uint64_t now_ms();

    const FlowLogConfig config_;
    LineFile file_;
    IpfixEncoder ipfix_;
    int socket_ = -1;
    FlowLogStats stats_;
    uint64_t sent_records_ = 0;  ///< in the last message, which may yet be refused
    bool has_failed_ = false;    ///< to send, which is reported once
};

}  // namespace podlane::control
