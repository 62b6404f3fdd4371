#include "control/manual/manual.h"

#include <fmt/format.h>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"
#include "control/daemon/options.h"
#include "control/options/help.h"
#include "control/watch/options.h"

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
             {"FILES", ".TP\n.I /run/podlane/podlane.sock\nThe default socket.\n"},
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

std::string podlane_kube_manual(std::string_view version) {
    return manual_text(
        {.program = "podlane-kube",
         .section = 8,
         .version = version,
         .summary = "keeps podlaned equal to the Kubernetes API server",
         .sections = {
             {"SYNOPSIS",
              ".B podlane\\-kube\n\\-\\-node \\fINAME\\fR [\\-\\-kubeconfig \\fIFILE\\fR] "
              "[\\fIOPTION\\fR...]\n"},
             {"DESCRIPTION",
              "Lists and watches the objects that concern a node's network and gives them to "
              "podlaned on the same node. It keeps no state of its own and may be started and "
              "ended at any time. SIGTERM and SIGINT end it.\n"},
             {"OPTIONS", manual_options(kube_options())},
             {"ENVIRONMENT",
              ".TP\n.B NODE_NAME\nThe node, where \\-\\-node is not given.\n.TP\n.B "
              "KUBECONFIG\nThe "
              "kubeconfig, likewise.\n.TP\n.B PODLANE_SOCKET\nThe socket, likewise.\n"},
             {"EXIT STATUS",
              ".TP\n.B 0\nEnded as it was told.\n.TP\n.B 1\nDid not start; one line on stderr says "
              "why.\n.TP\n.B 2\nWrong usage.\n"},
             {"SEE ALSO", ".BR podlaned (8),\n.BR podlanectl (1)\n"}}});
}

std::string podlane_cni_manual(std::string_view version) {
    return manual_text(
        {.program = "podlane-cni",
         .section = 8,
         .version = version,
         .summary = "CNI plugin that gives pods a port of podlaned",
         .sections = {
             {"SYNOPSIS", ".B podlane\\-cni\n"},
             {"DESCRIPTION",
              "Run by a container runtime, as the CNI specification 1.1.0 (and back to 0.3.0) "
              "says: "
              "the command is in CNI_COMMAND, the network's configuration on standard input, the "
              "result on standard output. ADD, DEL, CHECK, GC, STATUS and VERSION are known. "
              "Addresses come from an IPAM plugin or from the node's pod CIDRs. The keys of its "
              "configuration are those of cni.md in the package's documentation.\n"},
             {"ENVIRONMENT",
              ".TP\n.B CNI_COMMAND\n.TQ\n.B CNI_CONTAINERID\n.TQ\n.B CNI_NETNS\n.TQ\n.B "
              "CNI_IFNAME\n.TQ\n.B CNI_ARGS\n.TQ\n.B CNI_PATH\nAs the specification has them.\n"},
             {"FILES",
              ".TP\n.I /etc/cni/net.d/10\\-podlane.conflist\nThe network's configuration.\n.TP\n"
              ".I /run/podlane\\-cni\nWhat it has given.\n"},
             {"EXIT STATUS",
              ".TP\n.B 0\nDone.\n.TP\n.B 1\nFailed; standard output has the error as JSON, with "
              "CNI's code and the cause.\n"},
             {"SEE ALSO", ".BR podlaned (8)\n"}}});
}

}  // namespace podlane::control
