#include "control/config/flow_log_config.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "control/config/section.h"

namespace podlane::control {

namespace {

void read_records(const Value& list, FlowLogConfig& out, Problems& problems) {
    constexpr std::array<Word<bool FlowLogConfig::*>, 3> kWords{
        {{"start", &FlowLogConfig::starts},
         {"end", &FlowLogConfig::ends},
         {"denied", &FlowLogConfig::denials}}};
    out.starts = out.ends = out.denials = false;
    for (const Value& each : as_list(list, problems)) {
        if (const auto member = as_word(each, kWords, problems)) out.** member = true;
    }
}

}  // namespace

FlowLogConfig read_flow_log(const Value* section, Problems& problems) {
    constexpr IntegerRange kOneIn{1, 1'000'000, "a number of connections"};
    constexpr IntegerRange kDomain{1, UINT32_MAX, "an observation domain"};
    constexpr IntegerRange kBytes{65'536, int64_t{1} << 40, "a number of bytes"};
    FlowLogConfig out;
    Fields fields(section, problems, Keys::kStrict);
    if (const Value* place = fields.get("ipfix")) {
        out.ipfix = parse_listen_place(place->text());
        if (!out.ipfix) {
            problems.add(*place, fmt::format("{} is not ADDRESS:PORT such as 192.0.2.10:4739 or "
                                             "[2001:db8::10]:4739",
                                             shown(*place)));
        }
    }
    if (const Value* file = fields.get("file")) {
        const std::string text(as_string(*file, problems).value_or("/"));
        if (text.empty()) problems.add(*file, "an empty path; a file is meant");
        const std::filesystem::path document(problems.document());
        out.file = (document.parent_path() / text).string();
    }
    out.file_bytes = fields.integer<uint64_t>("fileBytes", kBytes, out.file_bytes);
    out.one_in = fields.integer<uint32_t>("oneIn", kOneIn, out.one_in);
    out.domain = fields.integer<uint32_t>("domain", kDomain, out.domain);
    if (const Value* records = fields.get("records")) read_records(*records, out, problems);
    fields.finish();
    return out;
}

Result<FlowLogConfig> load_flow_log_config(const std::string& path) {
    FlowLogConfig out;
    const auto done = read_section(path, "flowLog", [&](const Value* section, Problems& problems) {
        out = read_flow_log(section, problems);
    });
    if (!done.ok()) return done.error();
    return out;
}

std::string describe(const FlowLogConfig& log) {
    if (!log.is_on()) return "flow log   off\n";
    std::string where;
    if (log.ipfix) where = "IPFIX to " + to_string(log.ipfix->address, log.ipfix->port);
    if (!log.file.empty()) where += (where.empty() ? "" : ", ") + ("JSON lines in " + log.file);
    return fmt::format("flow log   {}, {}\n", where,
                       log.one_in == 1 ? std::string("all connections")
                                       : fmt::format("one of {} connections", log.one_in));
}

}  // namespace podlane::control
