// Where the logs of podlaned and podlane-kube go: a descriptor that must never hold them up.
//
// A log reader may be slow, stop reading, or be gone. A line for which there is no room is lost and
// counted, and the next line that fits says how many were lost. Quoted text cannot break out of its
// line or disguise itself (lib/base/printable.h).
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <mutex>

namespace podlane::control {

/// Threads: any; one mutex, which is never held while waiting.
class LogSink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    /// The longest line, its end included; longer ones are cut. A pipe takes as much at once or not
    /// at all (PIPE_BUF).
    static constexpr size_t kMostLineBytes = 4096;

    /// `fd` stays open and the caller's. SIGPIPE must be ignored.
    explicit LogSink(int fd) noexcept : fd_(fd) {}

    /// Lines lost since the start.
    [[nodiscard]] uint64_t lost();

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override {}

  private:
    bool write_line(std::string_view line);

    const int fd_;
    uint64_t lost_ = 0;    // guarded by the base's mutex, as all below
    uint64_t untold_ = 0;  // of them, those not reported yet
};

}  // namespace podlane::control
