#include "control/manual/manual.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"
#include "control/cli/program.h"
#include "control/daemon/options.h"
#include "control/options/help.h"
#include "control/watch/options.h"

namespace podlane::control {
namespace {

// What man(1) shows: groff's plain text, and what it complains of.
std::string shown(const std::string& page) {
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / "podlane-manual-test.man";
    std::ofstream(file) << page;
    const auto end =
        run_program({"groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u", "-ww", "-rLL=100n", file});
    std::filesystem::remove(file);
    EXPECT_TRUE(end.ok() && end->code == 0);
    return end.ok() ? end->output : "";
}

TEST(Manual, OfPodlanectlHasEachCommandAndOption) {
    const std::string page = podlanectl_manual("1.2");
    EXPECT_EQ(page.find(".TH PODLANECTL 1 "), 0U);
    for (const CliCommand* command : cli_commands()) {
        EXPECT_NE(page.find(".SS " + manual_escaped(command->name)), std::string::npos);
        for (const OptionRow& row : command->options) {
            EXPECT_NE(page.find(manual_escaped(option_usage(row))), std::string::npos) << row.name;
        }
    }
    for (const CliKind& kind : cli_kinds()) {
        EXPECT_NE(page.find(kind.plural), std::string::npos) << kind.plural;
    }
}

TEST(Manual, OfPodlanedHasEachOption) {
    const std::string page = podlaned_manual("1.2");
    EXPECT_EQ(page.find(".TH PODLANED 8 "), 0U);
    for (const OptionRow& row : daemon_options()) {
        EXPECT_NE(page.find(manual_escaped(option_usage(row))), std::string::npos) << row.name;
    }
}

TEST(Manual, OfPodlaneKubeHasEachOption) {
    const std::string page = podlane_kube_manual("1.2");
    EXPECT_EQ(page.find(".TH PODLANE-KUBE 8 "), 0U) << page.substr(0, 40);
    for (const OptionRow& row : kube_options()) {
        EXPECT_NE(page.find(manual_escaped(option_usage(row))), std::string::npos) << row.name;
    }
}

TEST(Manual, GroffReadsEachWithoutAWarning) {
    const std::string ctl = shown(podlanectl_manual("1.2"));
    EXPECT_EQ(ctl.find("warning:"), std::string::npos) << ctl;
    EXPECT_NE(ctl.find("podlanectl pod add shop/web-0"), std::string::npos) << ctl;
    EXPECT_NE(ctl.find("EXIT STATUS"), std::string::npos);
    const std::string daemon = shown(podlaned_manual("1.2"));
    EXPECT_EQ(daemon.find("warning:"), std::string::npos) << daemon;
    EXPECT_NE(daemon.find("--log-level LEVEL"), std::string::npos) << daemon;
    const std::string kube = shown(podlane_kube_manual("1.2"));
    EXPECT_EQ(kube.find("warning:"), std::string::npos) << kube;
    EXPECT_NE(kube.find("podlane-kube --node NAME"), std::string::npos) << kube;
    const std::string cni = shown(podlane_cni_manual("1.2"));
    EXPECT_EQ(cni.find("warning:"), std::string::npos) << cni;
    EXPECT_NE(cni.find("CNI_CONTAINERID"), std::string::npos) << cni;
}

}  // namespace
}  // namespace podlane::control
