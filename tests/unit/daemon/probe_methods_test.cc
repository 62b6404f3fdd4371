#include "control/daemon/probe_methods.h"

#include "tests/support/fake_probes.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class ProbeMethods : public NodeFixture {
  protected:
    ProbeMethods() {
        start();
        register_probe_methods(methods_, sessions_, [] { return uint64_t{1}; });
    }
    int code(const char* method, const Json& params) {
        const RpcResult result = methods_.call(method, params);
        const auto* failure = std::get_if<RpcFailure>(&result);
        return failure == nullptr ? 0 : failure->code;
    }

    FakeProbes probes_;
    ProbeSessions sessions_{dataplane_, &probes_};
    RpcMethods methods_;
};

TEST_F(ProbeMethods, ProbeIsStartedReadAndStopped) {
    const Json started = ok(methods_.call("probe.start", {{"points", {"in", "out"}},
                                                          {"filter", {"6 0 0 65535"}},
                                                          {"snapBytes", 64},
                                                          {"packetsPerSecond", 5}}));
    EXPECT_EQ(started, (Json{{"probe", 1}, {"ports", {"uplink0", "podlane0"}}}));
    EXPECT_EQ(probes_.started.at(0).snap_bytes, 64);
    EXPECT_EQ(probes_.started.at(0).filter.size(), 1u);
    const Json probe{{"probe", 1}};
    EXPECT_EQ(ok(methods_.call("probe.read", probe)),
              (Json{{"packets", Json::array()}, {"missed", 0}}));
    EXPECT_EQ(ok(methods_.call("probe.stop", probe)), probe);
    EXPECT_EQ(code("probe.read", probe), rpc_code::kNotFound);
}

TEST_F(ProbeMethods, WrongParametersAreRefused) {
    EXPECT_EQ(code("probe.start", {{"snapBytes", 300000}}), rpc_code::kBadParams);
    EXPECT_EQ(code("probe.start", {{"colour", "blue"}}), rpc_code::kBadParams);
    EXPECT_EQ(code("probe.start", {{"points", {"under"}}}), rpc_code::kBadParams);
    EXPECT_EQ(code("probe.read", {{"probe", "one"}}), rpc_code::kBadParams);
}

TEST_F(ProbeMethods, SocketThatOnlyReadsShowsNoPackets) {
    refuse_probe_methods(methods_);
    for (const char* name : {"probe.start", "probe.read", "probe.stop"}) {
        EXPECT_EQ(code(name, {{"points", {"in"}}}), rpc_code::kNotAllowed);
    }
    EXPECT_TRUE(probes_.started.empty());
}

}  // namespace
}  // namespace podlane::control
