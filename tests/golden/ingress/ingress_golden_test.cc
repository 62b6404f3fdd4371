// Each folder here: objects.yml, and what nginx is told of them. PODLANE_WRITE_GOLDEN=1 writes the
// answers anew, to be read before they are kept; the system tests have nginx read them.
#include "control/ingress/nginx.h"
#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

class IngressGolden : public testing::TestWithParam<fs::path> {};

void expect_file(const fs::path& path, const std::string& text) {
    if (std::getenv("PODLANE_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
    EXPECT_EQ(contents(path), text) << path;
}

TEST_P(IngressGolden, IsToldToNginxAsWrittenHere) {
    const ParsedObjects parsed = parse(contents(GetParam() / "objects.yml"));
    const IngressPlan plan = plan_ingresses(parsed.objects, "podlane");
    NginxOptions options;
    options.folder = "/etc/podlane/ingress";
    options.class_name = "podlane";
    expect_file(GetParam() / "nginx.conf", nginx_config(plan, options));
    std::string warnings;
    for (const std::string& warning : plan.warnings) warnings += warning + '\n';
    expect_file(GetParam() / "warnings.txt", warnings);
}

std::vector<fs::path> folders() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(source_root() / "tests/golden/ingress")) {
        if (entry.is_directory()) found.push_back(entry.path());
    }
    std::ranges::sort(found);
    return found;
}

INSTANTIATE_TEST_SUITE_P(Folders, IngressGolden, testing::ValuesIn(folders()),
                         [](const auto& param) {
                             std::string name = param.param.filename().string();
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace podlane::control
