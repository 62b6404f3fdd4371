#include "control/manual/manual.h"

#include <fmt/format.h>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"
#include "control/daemon/options.h"
#include "control/options/help.h"

namespace podlane::control {
namespace {

std::string verbatim(std::string_view lines) {
    return fmt::format(".EX\n{}\n.EE\n", manual_escaped(lines));
}

std::string command_text(const CliCommand& command) {
    std::string text =
        fmt::format(".SS {} {}\n{}.\n", manual_escaped(command.name),
                    manual_escaped(command.synopsis), manual_escaped(command.summary));
    if (!command.details.empty()) text += ".PP\n" + manual_escaped(command.details) + '\n';
    text += manual_options(command.options);
    if (!command.examples.empty()) text += ".PP\nExamples:\n.PP\n" + verbatim(command.examples);
    return text;
}

std::string kinds_text() {
    std::string text = "Kubernetes' objects:\n.PP\n";
    std::string objects;
    for (const CliKind& kind : cli_kinds()) {
        if (!kind.object) continue;
        objects += (objects.empty() ? "" : ", ") + kind.plural;
        if (!kind.brief.empty()) objects += fmt::format(" ({})", fmt::join(kind.brief, ", "));
    }
    text += manual_escaped(objects) + ".\n.PP\nLive state of the node:\n";
    for (const LiveKind& kind : live_kinds()) {
        text += fmt::format(".TP\n.B {}\n{}.\n", manual_escaped(kind.plural),
                            manual_escaped(kind.summary));
    }
    return text;
}

}  // namespace

std::string podlanectl_manual(std::string_view version) {
    std::string commands;
    for (const CliCommand* command : cli_commands()) commands += command_text(*command);
    return manual_text(
        {.program = "podlanectl",
         .section = 1,
         .version = version,
         .summary = "the operator's command of podlaned",
         .sections = {
             {"SYNOPSIS", ".B podlanectl\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR\n"},
             {"DESCRIPTION",
              "Speaks to podlaned, which does a Kubernetes node's networking in userspace, by its "
              "config socket. Options may stand before or behind the command.\n"},
             {"OPTIONS", manual_options(global_options())},
             {"COMMANDS", commands},
             {"KINDS", kinds_text()},
             {"EXIT STATUS",
              ".TP\n.B 0\nDone.\n.TP\n.B 1\nRefused or failed, or podlaned does not answer; stderr "
              "says why.\n.TP\n.B 2\nWrong usage.\n.TP\n.B 3\nhealth alone: degraded.\n"},
             {"ENVIRONMENT",
              ".TP\n.B PODLANE_SOCKET\nThe socket, where \\-\\-socket is not given.\n.TP\n.B "
              "COLUMNS\n"
              "The width of tables, in place of the terminal's.\n"},
             {"FILES",
              ".TP\n.I /run/podlane/podlane.sock\nThe socket where nothing else is said.\n"},
             {"SEE ALSO", ".BR podlaned (8),\n.BR kubectl (1)\n"}}});
}

std::string podlaned_manual(std::string_view version) {
    return manual_text(
        {.program = "podlaned",
         .section = 8,
         .version = version,
         .summary = "a Kubernetes node's dataplane in userspace, on DPDK",
         .sections = {
             {"SYNOPSIS",
              ".B podlaned\n\\-\\-config \\fIFILE\\fR [\\fIOPTION\\fR...] [\\-\\- "
              "\\fIEAL\\-ARGUMENT\\fR...]\n"},
             {"DESCRIPTION",
              "Takes the place of kube\\-proxy, the bridge, flannel and a node\\-local DNS. It "
              "prints "
              "\\(lqready\\(rq on its log, and tells systemd, when ports are up, workers run and "
              "the "
              "socket answers. SIGTERM and SIGINT end it cleanly.\n"},
             {"OPTIONS",
              manual_options(daemon_options()) +
                  ".PP\nWhat stands behind \\-\\- is added to the arguments of DPDK's EAL.\n"},
             {"EXIT STATUS",
              ".TP\n.B 0\nEnded as it was told; with \\-\\-check: the configuration is "
              "right.\n.TP\n"
              ".B 1\nDid not start, or the configuration is wrong; one line on stderr says where "
              "and "
              "why.\n.TP\n.B 2\nWrong usage.\n"},
             {"SEE ALSO", ".BR podlanectl (1)\n"}}});
}

}  // namespace podlane::control
