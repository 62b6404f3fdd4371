#include "control/config/flow_log_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace podlane::control {
namespace {

Result<FlowLogConfig> loaded(const std::string& section) {
    const std::string path = "/tmp/podlane-flowlog-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << "node: a\n" << section;
    auto config = load_flow_log_config(path);
    std::remove(path.c_str());
    return config;
}

std::string log_described(const std::string& section) {
    const auto config = loaded(section);
    if (config.ok()) return describe(config.value());
    const std::string& message = config.error().message;
    return message.substr(message.find(".yaml:") + 5);
}

TEST(FlowLogConfig, IsOffUnlessThereIsAReceiver) {
    EXPECT_EQ(log_described(""), "flow log   off\n");
    EXPECT_EQ(log_described("flowLog: {oneIn: 10}\n"), "flow log   off\n");
    EXPECT_EQ(log_described("flowLog: {ipfix: 192.0.2.1:4739, oneIn: 10}\n"),
              "flow log   IPFIX to 192.0.2.1:4739, one of 10 connections\n");
    EXPECT_EQ(log_described("flowLog: {file: flows.json, ipfix: \"[fd00::1]:4739\"}\n"),
              "flow log   IPFIX to [fd00::1]:4739, JSON lines in /tmp/flows.json, all "
              "connections\n");
}

TEST(FlowLogConfig, RecordsAreThoseThatAreNamed) {
    const auto all = loaded("flowLog: {file: a}\n");
    EXPECT_TRUE(all->starts && all->ends && all->denials);
    const auto some = loaded("flowLog: {file: a, records: [end, denied]}\n");
    EXPECT_FALSE(some->starts);
    EXPECT_TRUE(some->ends && some->denials);
}

TEST(FlowLogConfig, WrongValuesAreNamedWithTheirPlace) {
    EXPECT_TRUE(log_described("flowLog: {ipfix: collector:4739}\n")
                    .starts_with(":2:18: flowLog.ipfix: \"collector:4739\" is not ADDRESS:PORT"));
    for (const char* section :
         {"flowLog: {oneIn: 0}\n", "flowLog: {records: [begin]}\n", "flowLog: {fileBytes: 1}\n",
          "flowLog: {to: x}\n", "flowLog: {file: \"\"}\n", "flowLog: {domain: -1}\n"}) {
        EXPECT_FALSE(loaded(section).ok()) << section;
    }
    EXPECT_FALSE(load_flow_log_config("/nonexistent.yaml").ok());
}

}  // namespace
}  // namespace podlane::control
