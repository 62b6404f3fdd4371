// podlane-cni: reads the environment and standard input, and prints an answer.
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "control/cni/plugin.h"

extern char** environ;

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "--version") {
        std::cout << "podlane-cni " << PODLANE_VERSION << '\n';
        return 0;
    }
    podlane::cni::Environment environment;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view pair(*each);
        const size_t equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        environment[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
    }
    if (environment.find("CNI_COMMAND") == environment.end()) {
        std::cerr << "podlane-cni is run by a container runtime, by the CNI specification: "
                     "CNI_COMMAND is not set\n";
        return 2;
    }
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    return podlane::cni::run(environment, input, std::cout);
}
