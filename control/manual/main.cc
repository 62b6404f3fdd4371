// Prints what the build installs with the programs: man pages and completion scripts.
#include <cstdio>
#include <string>
#include <string_view>

#include "control/cli/completion.h"
#include "control/manual/manual.h"

int main(int argc, char** argv) {
    using namespace podlane::control;  // NOLINT(google-build-using-namespace)
    const std::string_view what = argc == 2 ? argv[1] : "";
    std::string text;
    if (what == "podlanectl.1") text = podlanectl_manual(PODLANE_VERSION);
    if (what == "podlaned.8") text = podlaned_manual(PODLANE_VERSION);
    if (what == "podlane-kube.8") text = podlane_kube_manual(PODLANE_VERSION);
    if (what == "podlane-cni.8") text = podlane_cni_manual(PODLANE_VERSION);
    if (what == "bash") text = bash_completion();
    if (what == "zsh") text = zsh_completion();
    if (text.empty()) {
        std::fputs(
            "one of podlanectl.1, podlaned.8, podlane-kube.8, podlane-cni.8, bash, zsh is "
            "needed\n",
            stderr);
        return 2;
    }
    return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
