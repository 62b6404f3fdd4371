#include "control/cli/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/cli/commands.h"

namespace podlane::control {
namespace {

using Words = std::vector<std::string>;

CliOptions parse(const Words& words) {
    auto parsed = parse_command_line(words, "/default.sock");
    if (const auto* mistake = std::get_if<CliMistake>(&parsed)) {
        ADD_FAILURE() << mistake->message;
        return {};
    }
    EXPECT_TRUE(std::holds_alternative<CliOptions>(parsed)) << "help was given";
    return std::get<CliOptions>(std::move(parsed));
}

std::string mistake_in(const Words& words) {
    const auto parsed = parse_command_line(words, "/default.sock");
    const auto* mistake = std::get_if<CliMistake>(&parsed);
    return mistake == nullptr ? "(none)" : mistake->message;
}

TEST(CliOptions, GlobalOptionsStandAnywhere) {
    const Words lines[] = {{"--socket", "/s", "-o", "json", "get", "pods"},
                           {"get", "pods", "--socket=/s", "-ojson"},
                           {"-o", "json", "get", "--socket", "/s", "pods"},
                           {"get", "--output", "json", "pods", "--socket", "/s"}};
    for (const Words& words : lines) {
        const CliOptions options = parse(words);
        EXPECT_EQ(options.command, CliCommand::kGet);
        EXPECT_EQ(options.socket, "/s");
        EXPECT_EQ(options.format, OutputFormat::kJson);
        EXPECT_EQ(options.kind, "pods");
    }
}

TEST(CliOptions, WithoutASocketTheDefaultIsUsed) {
    const CliOptions options = parse({"health"});
    EXPECT_EQ(options.socket, "/default.sock");
    EXPECT_EQ(options.format, OutputFormat::kTable);
}

TEST(CliOptions, SeveralFilesMayBeGivenInEitherWay) {
    EXPECT_EQ(parse({"apply", "-f", "a", "b", "-"}).files, (Words{"a", "b", "-"}));
    EXPECT_EQ(parse({"apply", "-f", "a", "-f", "-", "-o", "json"}).files, (Words{"a", "-"}));
    EXPECT_EQ(parse({"replace", "--filename", "a", "--filename=b"}).files, (Words{"a", "b"}));
}

TEST(CliOptions, DeleteTakesFilesOrAnObject) {
    EXPECT_EQ(parse({"delete", "-f", "a"}).files, Words{"a"});
    const CliOptions options = parse({"delete", "svc", "default/web"});
    EXPECT_EQ(options.kind, "services");
    EXPECT_EQ(options.name, "default/web");
    EXPECT_EQ(parse({"delete", "Node", "node-a"}).kind, "nodes");
    EXPECT_NE(mistake_in({"delete"}), "(none)");
    EXPECT_NE(mistake_in({"delete", "svc"}), "(none)");
    EXPECT_NE(mistake_in({"delete", "ports", "x"}), "(none)");
    EXPECT_EQ(mistake_in({"delete", "svc", "default/web", "-f", "a"}),
              "delete: either -f FILE or KIND, not both");
}

TEST(CliOptions, GetTakesKindsByAnyOfTheirNames) {
    for (const char* word : {"services", "service", "svc", "SVC", "Services"}) {
        EXPECT_EQ(parse({"get", word}).kind, "services");
    }
    const CliOptions options = parse({"get", "flows", "default/web", "--limit", "5"});
    EXPECT_EQ(options.name, "default/web");
    EXPECT_EQ(options.limit, 5U);
    EXPECT_EQ(parse({"get", "pods", "default/"}).name, "default/");
    EXPECT_EQ(parse({"get", "routes", "10.244.0.0/16"}).name, "10.244.0.0/16");
}

TEST(CliOptions, PodAddTakesNamespaceAndAddresses) {
    const CliOptions options =
        parse({"pod", "add", "default/web", "--netns", "/run/netns/web", "--address", "10.244.1.10",
               "--address", "fd00::10", "--ifname", "eth1"});
    EXPECT_EQ(options.command, CliCommand::kPodAdd);
    EXPECT_EQ(options.name, "default/web");
    EXPECT_EQ(options.netns, "/run/netns/web");
    EXPECT_EQ(options.addresses, (Words{"10.244.1.10", "fd00::10"}));
    EXPECT_EQ(options.ifname, "eth1");
    EXPECT_EQ(parse({"pod", "-o", "yaml", "del", "default/web"}).format, OutputFormat::kYaml);
    EXPECT_NE(mistake_in({"-o", "json", "pod", "del", "default/web", "-o", "yaml"}), "(none)");
}

TEST(CliOptions, IngressConfigTakesWhereAndHow) {
    const CliOptions options =
        parse({"ingress", "config", "--out", "/d", "--watch", "--reload-pid", "/p", "--class", "c",
               "--http-port", "8080", "--nginx", "/n"});
    EXPECT_EQ(options.command, CliCommand::kIngressConfig);
    EXPECT_EQ(options.ingress.folder, "/d");
    EXPECT_EQ(options.ingress.reload_pid, "/p");
    EXPECT_EQ(options.ingress.class_name, "c");
    EXPECT_EQ(options.ingress.http_port, 8080);
    EXPECT_EQ(options.ingress.https_port, 443);
    EXPECT_EQ(options.ingress.nginx, "/n");
    EXPECT_TRUE(options.watch);
    const Words command{"ingress", "config", "--out", "/d"};
    EXPECT_EQ(parse(command).ingress.class_name, "podlane");
    const auto mistake = [&](Words more) {
        more.insert(more.begin(), command.begin(), command.end());
        return mistake_in(more);
    };
    EXPECT_EQ(mistake({"--https-port", "0"}),
              "ingress config: --https-port: 0 is no port (1-65535)");
    EXPECT_EQ(mistake({"--https-port", "80"}),
              "ingress config: --https-port: 80 is the port of http, too");
    EXPECT_EQ(mistake({"--reload-pid", "/p", "--reload-command", "c"}),
              "ingress config: either --reload-pid or --reload-command, not both");
    EXPECT_NE(mistake_in({"ingress", "config"}), "(none)");
}

TEST(CliOptions, ExplainTakesBothEnds) {
    const CliOptions options = parse({"explain", "--from", "default/web", "--to", "10.96.0.10:80",
                                      "--proto", "udp", "--sport", "4000"});
    EXPECT_EQ(options.from, "default/web");
    EXPECT_EQ(options.to, "10.96.0.10:80");
    EXPECT_EQ(options.protocol, "udp");
    EXPECT_EQ(options.source_port, 4000);
    EXPECT_EQ(mistake_in({"explain", "--from", "a", "--to", "b", "--proto", "tpc"}),
              "explain: --proto: tpc is none of tcp, udp, sctp, icmp");
    EXPECT_EQ(mistake_in({"explain", "--from", "a", "--to", "b", "--sport", "65536"}),
              "explain: --sport: 65536 is no port (1-65535)");
}

TEST(CliOptions, StatsMayBeWatched) {
    EXPECT_FALSE(parse({"stats"}).watch);
    EXPECT_TRUE(parse({"stats", "-w"}).watch);
    EXPECT_EQ(parse({"stats", "--watch", "--count", "3"}).count, 3U);
    EXPECT_EQ(mistake_in({"stats", "--count", "3"}), "stats: --count goes with --watch");
}

TEST(CliOptions, TyposGetASuggestion) {
    EXPECT_EQ(mistake_in({"aply"}), "unknown command \"aply\"; did you mean \"apply\"?");
    EXPECT_EQ(mistake_in({"pod", "ad", "a/b"}),
              "unknown command \"pod ad\"; did you mean \"pod add\"?");
    EXPECT_EQ(mistake_in({"get", "srvices"}),
              "get: unknown kind \"srvices\"; did you mean \"services\"?");
    EXPECT_EQ(mistake_in({"something"}), "unknown command \"something\"");
}

TEST(CliOptions, WhatIsMissingOrTooMuchIsNamed) {
    EXPECT_EQ(mistake_in({}), "a command is missing");
    EXPECT_EQ(mistake_in({"pod"}), "pod: add or del is missing");
    EXPECT_EQ(mistake_in({"ingress"}), "ingress: config is missing");
    EXPECT_EQ(mistake_in({"apply"}), "apply: -f FILE is needed");
    EXPECT_EQ(mistake_in({"get"}), "get: KIND [NAME] is needed");
    EXPECT_EQ(mistake_in({"get", "pods", "a/b", "c"}), "get: unexpected \"c\"");
    EXPECT_EQ(mistake_in({"get", "pods", "web"}),
              "get: web: a NAMESPACE/NAME is needed, such as default/web");
    EXPECT_EQ(mistake_in({"pod", "del", "web"}), "pod del: web: a NAMESPACE/NAME is needed");
    EXPECT_EQ(mistake_in({"get", "pods", "-o", "xml"}),
              "get: -o: xml is none of table, wide, json, yaml");
    for (const Words& words :
         {Words{"apply", "-f"}, Words{"apply", "--fil", "x"}, Words{"health", "--nope"},
          Words{"pod", "add", "a/b", "--netns", "x"}, Words{"explain", "--from", "a"},
          Words{"get", "pods", "--limit", "many"}, Words{"health", "x"}}) {
        EXPECT_NE(mistake_in(words), "(none)") << words.back();
    }
}

TEST(CliCommands, EachHasHelpWithItsExample) {
    for (const CliCommandInfo& info : cli_commands()) {
        Words words;
        const std::string name(info.name);
        if (const size_t blank = name.find(' '); blank != std::string::npos) {
            words = {name.substr(0, blank), name.substr(blank + 1), "--help"};
        } else {
            words = {name, "--help"};
        }
        const auto parsed = parse_command_line(words, "");
        const auto* help = std::get_if<CliHelp>(&parsed);
        ASSERT_NE(help, nullptr) << name;
        EXPECT_NE(help->text.find("Usage: podlanectl " + name), std::string::npos);
        EXPECT_NE(help->text.find("Example"), std::string::npos) << name;
        EXPECT_NE(help->text.find("--socket"), std::string::npos);
        EXPECT_EQ(help->text.find("--words"), std::string::npos);
        EXPECT_EQ(command_help(info), help->text.substr(0, command_help(info).size()));
    }
}

TEST(CliCommands, GeneralHelpHasALineForEach) {
    for (const char* word : {"--help", "-h", "help"}) {
        const auto parsed = parse_command_line(Words{word}, "");
        ASSERT_TRUE(std::holds_alternative<CliHelp>(parsed));
        EXPECT_EQ(std::get<CliHelp>(parsed).text.find(general_help()), 0U);
    }
    for (const CliCommandInfo& info : cli_commands()) {
        EXPECT_NE(general_help().find(std::string(info.summary)), std::string::npos);
    }
}

}  // namespace
}  // namespace podlane::control
