#include "control/cli/command_line.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "control/cli/command.h"
#include "control/cli/commands.h"
#include "control/cli/get.h"
#include "control/cli/target.h"

namespace podlane::control {
namespace {

using Words = std::vector<std::string>;

Invocation parse(const Words& words) {
    auto parsed = parse_command_line(words, "/default.sock");
    if (const auto* mistake = std::get_if<CliMistake>(&parsed)) {
        ADD_FAILURE() << mistake->message;
        return {};
    }
    EXPECT_TRUE(std::holds_alternative<Invocation>(parsed)) << "help was given";
    return std::get<Invocation>(std::move(parsed));
}

std::string mistake_in(const Words& words) {
    const auto parsed = parse_command_line(words, "/default.sock");
    const auto* mistake = std::get_if<CliMistake>(&parsed);
    return mistake == nullptr ? "(none)" : mistake->message;
}

std::string help_of(const Words& words) {
    const auto parsed = parse_command_line(words, "/default.sock");
    const auto* help = std::get_if<CliHelp>(&parsed);
    return help == nullptr ? "(none)" : help->text;
}

// "services shop/web, nodes"
std::string targets_in(const Words& words) {
    std::string text;
    const auto targets = targets_of(parse(words), false);
    for (const Target& target : std::get<std::vector<Target>>(targets)) {
        text += (text.empty() ? "" : ", ") + target.kind->plural +
                (target.name.empty() ? "" : " " + target.name);
    }
    return text;
}

TEST(CommandLine, GlobalOptionsStandAnywhere) {
    const Words lines[] = {{"--socket", "/s", "-o", "json", "get", "pods"},
                           {"get", "pods", "--socket=/s", "-ojson"},
                           {"-o=json", "get", "--socket", "/s", "pods"},
                           {"get", "--output", "json", "pods", "--socket", "/s"}};
    for (const Words& words : lines) {
        const Invocation call = parse(words);
        EXPECT_EQ(call.command->name, "get");
        EXPECT_EQ(call.socket, "/s");
        EXPECT_EQ(call.format, OutputFormat::kJson);
        EXPECT_EQ(targets_in(words), "pods");
    }
    // kubectl takes a command's own options before it as well.
    EXPECT_EQ(targets_in({"-n", "shop", "get", "pods"}), "pods shop/");
}

TEST(CommandLine, WithoutASocketTheDefaultIsUsed) {
    const Invocation call = parse({"health"});
    EXPECT_EQ(call.socket, "/default.sock");
    EXPECT_EQ(call.format, OutputFormat::kTable);
}

TEST(CommandLine, EveryCallHasABoundedTime) {
    using std::chrono::seconds;
    EXPECT_EQ(parse({"health"}).timeout, seconds(5));
    EXPECT_EQ(parse({"get", "pods"}).timeout, seconds(10));
    EXPECT_EQ(parse({"apply", "-f", "x"}).timeout, seconds(300));
    EXPECT_EQ(parse({"apply", "-f", "x", "--timeout", "7"}).timeout, seconds(7));
    EXPECT_NE(mistake_in({"health", "--timeout", "0"}), "(none)");
    EXPECT_NE(mistake_in({"health", "--timeout", "soon"}), "(none)");
}

TEST(CommandLine, SeveralFilesMayBeGivenInEitherWay) {
    const auto files = [](const Words& words) { return parse(words).options.texts("filename"); };
    EXPECT_EQ(files({"apply", "-f", "a", "b", "-"}), (Words{"a", "b", "-"}));
    EXPECT_EQ(files({"apply", "-f", "a", "-f", "-", "-o", "json"}), (Words{"a", "-"}));
    EXPECT_EQ(files({"replace", "--filename", "a", "--filename=b"}), (Words{"a", "b"}));
}

TEST(CommandLine, DeleteTakesFilesOrObjects) {
    EXPECT_EQ(targets_in({"delete", "svc", "default/web"}), "services default/web");
    EXPECT_EQ(targets_in({"delete", "Node", "node-a"}), "nodes node-a");
    EXPECT_EQ(targets_in({"delete", "svc", "web", "db", "-n", "a"}),
              "services a/web, services a/db");
    EXPECT_NE(mistake_in({"delete"}), "(none)");
    EXPECT_NE(mistake_in({"delete", "svc"}), "(none)");
    EXPECT_NE(mistake_in({"delete", "svc", "-n", "shop"}), "(none)");
    EXPECT_NE(mistake_in({"delete", "ports", "x"}), "(none)");
    EXPECT_EQ(mistake_in({"delete", "svc", "default/web", "-f", "a"}),
              "delete: either -f FILE or KIND and NAME, not both");
}

TEST(CommandLine, GetTakesKubectlsWords) {
    for (const char* word : {"services", "service", "svc", "SVC", "Services"}) {
        EXPECT_EQ(targets_in({"get", word}), "services");
    }
    EXPECT_EQ(targets_in({"get", "eps"}), "endpointslices");
    EXPECT_EQ(targets_in({"get", "svc,ep"}), "services, endpoints");
    EXPECT_EQ(targets_in({"get", "svc/web"}), "services default/web");
    EXPECT_EQ(targets_in({"get", "svc/shop/web"}), "services shop/web");
    EXPECT_EQ(targets_in({"get", "svc/web", "ep/web", "-n", "a"}),
              "services a/web, endpoints a/web");
    EXPECT_EQ(targets_in({"get", "pods", "default/"}), "pods default/");
    EXPECT_EQ(targets_in({"get", "pods", "-n", "shop", "-A"}), "pods");
    EXPECT_EQ(targets_in({"get", "nodes", "-n", "shop"}), "nodes");
    EXPECT_EQ(targets_in({"get", "routes", "10.244.0.0/16"}), "routes 10.244.0.0/16");
    EXPECT_EQ(targets_in({"get", "flows", "shop/web-0"}), "flows shop/web-0");
    EXPECT_EQ(targets_in({"get", "flows", "web-0", "-n", "shop"}), "flows shop/web-0");
    EXPECT_EQ(targets_in({"get", "flows", "client"}), "flows default/client");
    EXPECT_EQ(targets_in({"get", "flows", "10.244.1.5"}), "flows 10.244.1.5");
    EXPECT_EQ(targets_in({"get", "frontends", "web"}), "frontends default/web");
    EXPECT_EQ(targets_in({"get", "neighbours"}), "neighbors");
    EXPECT_EQ(parse({"get", "flows", "default/web", "--limit", "5"}).options.number("limit"), 5U);
    EXPECT_EQ(mistake_in({"get", "svc", "shop/web", "-n", "other"}),
              "get: \"shop/web\" is not in namespace other (-n)");
}

TEST(CommandLine, PodAddTakesNamespaceAndAddresses) {
    const Invocation call =
        parse({"pod", "add", "default/web", "--netns", "/run/netns/web", "--address", "10.244.1.10",
               "--address", "fd00::10", "--ifname", "eth1"});
    EXPECT_EQ(call.command->name, "pod add");
    EXPECT_EQ(call.words, Words{"default/web"});
    EXPECT_EQ(parse({"pod", "del", "web"}).words, Words{"default/web"});
    EXPECT_EQ(parse({"pod", "del", "web", "-n", "shop"}).words, Words{"shop/web"});
    EXPECT_EQ(parse({"ingress", "status", "proxy", "-n", "ingress"}).words, Words{"ingress/proxy"});
    EXPECT_EQ(call.text("netns"), "/run/netns/web");
    EXPECT_EQ(call.options.texts("address"), (Words{"10.244.1.10", "fd00::10"}));
    EXPECT_EQ(parse({"pod", "-o", "yaml", "del", "default/web"}).format, OutputFormat::kYaml);
    EXPECT_EQ(mistake_in({"-o", "json", "pod", "del", "default/web", "-o", "yaml"}),
              "pod del: --output is given twice");
}

TEST(CommandLine, IngressConfigTakesWhereAndHow) {
    const Words command{"ingress", "config", "--out", "/d"};
    EXPECT_EQ(parse(command).command->name, "ingress config");
    const auto mistake = [&](Words more) {
        more.insert(more.begin(), command.begin(), command.end());
        return mistake_in(more);
    };
    EXPECT_EQ(mistake({"--https-port", "0"}),
              "ingress config: --https-port: 0 is not a port (1-65535)");
    EXPECT_EQ(mistake({"--https-port", "80"}),
              "ingress config: --https-port: 80 is the port of http, too");
    EXPECT_EQ(mistake({"--reload-pid", "/p", "--reload-command", "c"}),
              "ingress config: either --reload-pid or --reload-command, not both");
    EXPECT_EQ(mistake_in({"ingress", "config"}), "ingress config: --out DIR is needed");
}

// What explain sends for its two ends.
std::string ends_in(const Words& words) {
    const Invocation call = parse(words);
    nlohmann::ordered_json params{{"from", call.text("from")}, {"to", call.text("to")}};
    std::istringstream in;
    std::ostringstream out;
    CliEnvironment environment{.in = in, .out = out, .err = out, .default_socket = ""};
    EXPECT_TRUE(call.command->add_params(call, environment, params));
    return params["from"].get<std::string>() + " > " + params["to"].get<std::string>();
}

TEST(CommandLine, ANameWithoutNamespaceIsInDefaultOrThatOfTheOption) {
    const auto ends = [](const Words& more) {
        Words words{"explain", "--from"};
        words.insert(words.end(), more.begin(), more.end());
        return ends_in(words);
    };
    EXPECT_EQ(ends({"client", "--to", "web:80"}), "default/client > web:80");
    EXPECT_EQ(ends({"client", "--to", "web:80", "-n", "shop"}), "shop/client > shop/web:80");
    EXPECT_EQ(ends({"port:uplink0", "--to", "10.96.0.10:80", "-n", "shop"}),
              "port:uplink0 > 10.96.0.10:80");
    EXPECT_EQ(ends({"fd00::1", "--to", "[fd00::a]:80", "-n", "a"}), "fd00::1 > [fd00::a]:80");
    EXPECT_EQ(ends({"a/b", "--to", "web.shop:80", "-n", "a"}), "a/b > web.shop:80");
    for (const char* command : {"trace", "capture"}) {
        EXPECT_EQ(whole_name(parse({command, "--pod", "client"}), "client"), "default/client");
        EXPECT_EQ(whole_name(parse({command, "-n", "shop"}), "web"), "shop/web");
        EXPECT_EQ(whole_name(parse({command, "-n", "shop"}), "a/web"), "a/web");
    }
}

TEST(CommandLine, ExplainTakesBothEnds) {
    const Invocation call = parse({"explain", "--from", "default/web", "--to", "10.96.0.10:80",
                                   "--proto", "udp", "--sport", "4000"});
    EXPECT_EQ(call.text("from"), "default/web");
    EXPECT_EQ(call.options.number("sport"), 4000U);
    EXPECT_EQ(mistake_in({"explain", "--from", "a", "--to", "b", "--proto", "tpc"}),
              "explain: --proto: \"tpc\" is not tcp, udp, sctp or icmp");
    EXPECT_EQ(mistake_in({"explain", "--from", "a", "--to", "b", "--sport", "65536"}),
              "explain: --sport: 65536 is not a port (1-65535)");
}

TEST(CommandLine, StatsMayBeWatched) {
    EXPECT_FALSE(parse({"stats"}).has("watch"));
    EXPECT_TRUE(parse({"stats", "-w"}).has("watch"));
    EXPECT_EQ(parse({"stats", "--watch", "--count", "3"}).options.number("count"), 3U);
    EXPECT_EQ(mistake_in({"stats", "--count", "3"}), "stats: --count goes with --watch");
    EXPECT_EQ(parse({"top", "--count", "3"}).options.number("count"), 3U);
}

TEST(CommandLine, TyposGetASuggestion) {
    EXPECT_EQ(mistake_in({"aply"}), "unknown command \"aply\"; did you mean \"apply\"?");
    EXPECT_EQ(mistake_in({"pod", "ad", "a/b"}),
              "unknown command \"pod ad\"; did you mean \"pod add\"?");
    EXPECT_EQ(mistake_in({"get", "srvices"}),
              "get: unknown kind \"srvices\"; did you mean \"services\"?");
    EXPECT_EQ(mistake_in({"something"}), "unknown command \"something\"");
    EXPECT_EQ(mistake_in({"get", "pods", "--no-header"}),
              "get: unknown option --no-header; did you mean --no-headers?");
}

TEST(CommandLine, WhatIsMissingOrTooMuchIsNamed) {
    EXPECT_EQ(mistake_in({}), "a command is missing");
    EXPECT_EQ(mistake_in({"--bogus"}), "unknown option --bogus");
    EXPECT_EQ(mistake_in({"health", "--bogus"}), "health: unknown option --bogus");
    EXPECT_EQ(mistake_in({"pod"}), "pod: add or del is missing");
    EXPECT_EQ(mistake_in({"ingress"}), "ingress: config or status is missing");
    EXPECT_EQ(mistake_in({"apply"}), "apply: -f FILE is needed");
    EXPECT_EQ(mistake_in({"get"}), "get: KIND[,KIND...] [NAME...] | KIND/NAME... is needed");
    EXPECT_EQ(mistake_in({"pod", "del", "/web"}),
              "pod del: \"/web\" is not NAMESPACE/NAME, such as default/web");
    EXPECT_EQ(mistake_in({"get", "pods", "-o", "xml"}),
              "get: --output: \"xml\" is not table, wide, json, yaml or name");
    EXPECT_EQ(mistake_in({"stats", "-o", "name"}), "stats: -o name goes with get");
    for (const Words& words :
         {Words{"apply", "-f"}, Words{"apply", "--fil", "x"}, Words{"health", "--nope"},
          Words{"pod", "add", "a/b", "--netns", "x"}, Words{"explain", "--from", "a"},
          Words{"get", "pods", "--limit", "many"}, Words{"health", "x"}}) {
        EXPECT_NE(mistake_in(words), "(none)") << words.back();
    }
}

// "pod add" as words.
Words words_of_name(std::string_view name) {
    Words words;
    for (const std::string_view word : podlane::control::words_of(name)) words.emplace_back(word);
    return words;
}

TEST(CliCommands, EachHasHelpWithItsExampleInEightyColumns) {
    for (const CliCommand* command : cli_commands()) {
        Words words = words_of_name(command->name);
        words.emplace_back("--help");
        const std::string help = help_of(words);
        EXPECT_EQ(help, command_help(*command)) << command->name;
        EXPECT_NE(help.find("Usage: podlanectl " + std::string(command->name)), std::string::npos);
        EXPECT_NE(help.find("Example"), std::string::npos) << command->name;
        EXPECT_NE(help.find("--socket"), std::string::npos);
        words.pop_back();
        words.insert(words.begin(), "help");
        EXPECT_EQ(help_of(words), help) << "help " << command->name;
        for (const OptionRow& row : command->options) {
            EXPECT_NE(help.find("--" + std::string(row.name)), std::string::npos);
        }
    }
}

TEST(CliCommands, GeneralHelpHasALineForEach) {
    for (const char* word : {"--help", "-h", "help"}) EXPECT_EQ(help_of({word}), general_help());
    for (const CliCommand* command : cli_commands()) {
        EXPECT_NE(general_help().find(std::string(command->summary)), std::string::npos);
    }
    EXPECT_EQ(help_of({"pod", "--help"}), group_help("pod"));
    EXPECT_NE(group_help("pod").find("pod del"), std::string::npos);
}

// The command's word is looked for among the options of all commands. Of the letters that kubectl,
// tcpdump and journalctl use in two ways, what stands before the command is the first one's.
TEST(CliCommands, AnOptionTakesAValueInAllCommandsOrInNone) {
    std::set<std::string> with, without;
    for (const CliCommand* command : cli_commands()) {
        for (const OptionRow& row : command->options) {
            (row.takes_value() ? with : without).insert(std::string(row.name));
            if (row.letter != 0) (row.takes_value() ? with : without).insert({row.letter});
        }
    }
    for (const char* letter : {"f", "w"}) with.erase(letter);
    for (const std::string& name : with) EXPECT_FALSE(without.contains(name)) << name;
    EXPECT_EQ(parse({"-f", "web.yaml", "apply"}).command->name, "apply");
    EXPECT_EQ(parse({"-w", "get", "pods"}).command->name, "get");
}

TEST(CliCommands, EachRowSaysHowItIsCarriedOut) {
    std::set<std::string_view> names;
    for (const CliCommand* command : cli_commands()) {
        EXPECT_TRUE(names.insert(command->name).second) << command->name;
        EXPECT_EQ(find_command(command->name), command);
        EXPECT_EQ(command->run == nullptr, command->render != nullptr) << command->name;
        EXPECT_TRUE(command->run != nullptr || !command->method.empty()) << command->name;
    }
}

}  // namespace
}  // namespace podlane::control
