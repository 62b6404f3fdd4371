#include "control/metrics/service_series.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

std::vector<ServiceMetrics> services(std::initializer_list<uint64_t> connections) {
    std::vector<ServiceMetrics> out;
    for (const uint64_t each : connections) {
        out.push_back({"default", std::string(1, static_cast<char>('a' + out.size())), each, 1});
    }
    return out;
}
std::string names(const NodeMetrics& node) {
    std::string out;
    for (const ServiceMetrics& service : node.services) out += service.name;
    return out;
}

TEST(ServiceSeries, FewServicesAllHaveTheirOwnFromTheBeginning) {
    ServiceSeries series(3);
    NodeMetrics out;
    series.divide(services({0, 5, 0}), out);
    EXPECT_EQ(names(out), "abc");
    EXPECT_EQ(out.other_services, 0U);
}

TEST(ServiceSeries, PlacesGoToThoseWithConnectionsAndStayTheirs) {
    ServiceSeries series(2);
    NodeMetrics out;
    series.divide(services({0, 0, 0, 0}), out);
    EXPECT_EQ(names(out), "");
    series.divide(services({1, 0, 9, 2}), out);
    EXPECT_EQ(names(out), "cd");
    EXPECT_EQ(out.other_connections, 1U);
    EXPECT_EQ(out.other_services, 2U);
    series.divide(services({100, 7, 9, 2}), out);
    EXPECT_EQ(names(out), "cd");
    EXPECT_EQ(out.other_connections, 107U);
}

TEST(ServiceSeries, NoCounterGoesBackWhenServicesGo) {
    ServiceSeries series(1);
    NodeMetrics out;
    series.divide(services({9, 4}), out);
    EXPECT_EQ(names(out), "a");
    EXPECT_EQ(out.other_connections, 4U);
    // a is gone: b stays among the others, where it was counted, c gets the place.
    series.divide({{"default", "b", 6, 1}, {"default", "c", 1, 1}}, out);
    EXPECT_EQ(names(out), "c");
    EXPECT_EQ(out.other_connections, 6U);
    series.divide({{"default", "c", 2, 1}}, out);
    EXPECT_EQ(out.other_connections, 6U);
}

TEST(ServiceSeries, NoneMeansNone) {
    ServiceSeries series(0);
    NodeMetrics out;
    series.divide(services({3, 4}), out);
    EXPECT_EQ(names(out), "");
    EXPECT_EQ(out.other_connections, 7U);
}

}  // namespace
}  // namespace podlane::control
