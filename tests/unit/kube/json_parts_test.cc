#include "control/kube/json_parts.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(JsonParts, LeaveOutWhatIsEmpty) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    set_text(out, "a", "");
    set_number(out, "b", 0);
    EXPECT_EQ(out.dump(), "{}");
    set_text(out, "a", "x");
    set_number(out, "b", 5);
    EXPECT_EQ(out.dump(), R"({"a":"x","b":5})");
    EXPECT_EQ(to_json(LabelSelector()).dump(), "{}");
    EXPECT_EQ(object_head(Kind::kNode, {"", "n", {}, {}}).dump(),
              R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})");
}

TEST(JsonParts, PrintPortsAsNumbersOrNames) {
    EXPECT_EQ(to_json(PortRef{80, ""}).dump(), "80");
    EXPECT_EQ(to_json(PortRef{0, "http"}).dump(), R"("http")");
    EXPECT_EQ(texts_of(std::vector<IpAddress>{*parse_ip("10.0.0.1")}).dump(), R"(["10.0.0.1"])");
}

}  // namespace
}  // namespace podlane::control
