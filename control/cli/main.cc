// podlanectl: the operator's command, which talks to podlaned through its config socket.
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "control/cli/run.h"

namespace {

// $COLUMNS, which a user may have set, takes precedence over the terminal's size.
podlane::control::Screen screen_of(int fd) {
    podlane::control::Screen screen;
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        screen.columns = size.ws_col;
        screen.rows = size.ws_row;
        screen.is_known = true;
    }
    const char* columns = std::getenv("COLUMNS");
    if (const int number = columns == nullptr ? 0 : std::atoi(columns); number > 0) {
        screen.columns = static_cast<size_t>(number);
        screen.is_known = true;
    }
    return screen;
}

}  // namespace

int main(int argc, char** argv) {
    const char* socket = std::getenv("PODLANE_SOCKET");
    const bool is_set = socket != nullptr && *socket != '\0';
    podlane::control::CliEnvironment environment{
        .in = std::cin,
        .out = std::cout,
        .err = std::cerr,
        .default_socket = is_set ? socket : "/run/podlane/podlane.sock",
        .is_terminal = ::isatty(STDOUT_FILENO) == 1,
        .screen = screen_of(STDOUT_FILENO),
        .pause = [] { std::this_thread::sleep_for(std::chrono::seconds(1)); },
    };
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return podlane::control::run_podlanectl(arguments, environment);
}
