#include "control/daemon/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "control/daemon/service_manager.h"

namespace podlane::control {

namespace {

/// The exit code of a process that ended before it was ready.
int exit_code_of(pid_t process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) return 1;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

}  // namespace

Result<Background> run_in_background() {
    const auto failed = [](const char* what) {
        return Error{std::string("--background: ") + what + ": " + std::strerror(errno)};
    };
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe");
    const pid_t other = ::fork();
    if (other < 0) return failed("fork");
    if (other > 0) {
        ::close(ends[1]);
        char byte = 0;
        ssize_t got = -1;
        do {
            got = ::read(ends[0], &byte, 1);
        } while (got < 0 && errno == EINTR);
        ::close(ends[0]);
        if (got != 1) return Background{{}, exit_code_of(other)};
        // The manager believes this of processes that it has started itself (NotifyAccess=exec).
        notify_service_manager("MAINPID=" + std::to_string(other));
        return Background{{}, 0};
    }
    ::close(ends[0]);
    // Closing the terminal must not end this process.
    ::setsid();
    return Background{[fd = ends[1]] {
                          (void)!::write(fd, "r", 1);
                          ::close(fd);
                      },
                      0};
}

}  // namespace podlane::control
