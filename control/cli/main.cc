// podlanectl: the operator's command, which speaks to podlaned by its config socket.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "control/cli/run.h"

int main(int argc, char** argv) {
    const char* socket = std::getenv("PODLANE_SOCKET");
    const bool is_set = socket != nullptr && *socket != '\0';
    podlane::control::CliEnvironment environment{
        .in = std::cin,
        .out = std::cout,
        .err = std::cerr,
        .default_socket = is_set ? socket : "/run/podlane/podlane.sock",
        .is_terminal = ::isatty(STDOUT_FILENO) == 1,
        .pause = [] { std::this_thread::sleep_for(std::chrono::seconds(1)); },
    };
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return podlane::control::run_podlanectl(arguments, environment);
}
