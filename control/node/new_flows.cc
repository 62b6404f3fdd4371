#include "control/node/new_flows.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace podlane::control {

size_t NewFlows::Hash::operator()(const RawAddress& address) const noexcept {
    const char* bytes = reinterpret_cast<const char*>(address.bytes.data());
    return std::hash<std::string_view>()(std::string_view(bytes, address.bytes.size()));
}

void NewFlows::add(const FlowRecord& record, uint64_t weight) {
    const bool is_denied = record.kind == FlowRecordKind::kDenied;
    if (!is_denied) flows_ += weight;
    auto found = sources_.find(record.src);
    if (found == sources_.end()) {
        if (sources_.size() == 2 * kMost) lower();
        found = sources_.emplace(record.src, Source{.address = record.src}).first;
    }
    Source& counted = found->second;
    (is_denied ? counted.denied : counted.flows) += weight;
    counted.last_dst = record.dst;
    counted.last_port = record.dst_port;
    counted.in_port = record.in_port;
}

// At least halves the number of sources, so that the cost is spread over as many new ones.
void NewFlows::lower() {
    std::vector<uint64_t> counts;
    counts.reserve(sources_.size());
    for (const auto& [address, source] : sources_) counts.push_back(source.all());
    const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(kMost);
    std::nth_element(counts.begin(), middle, counts.end(), std::greater{});
    const uint64_t least = *middle;
    for (auto at = sources_.begin(); at != sources_.end();) {
        Source& source = at->second;
        if (source.all() <= least) {
            at = sources_.erase(at);
            continue;
        }
        // Taken from the denied ones first; the choice does not matter for the error bound.
        const uint64_t of_denied = std::min(source.denied, least);
        source.denied -= of_denied;
        source.flows -= least - of_denied;
        ++at;
    }
    error_ += least;
}

std::vector<NewFlows::Source> NewFlows::top(size_t count) const {
    std::vector<Source> out;
    out.reserve(sources_.size());
    for (const auto& [address, source] : sources_) out.push_back(source);
    std::ranges::sort(out, [](const Source& a, const Source& b) {
        return a.all() != b.all() ? a.all() > b.all() : a.address < b.address;
    });
    if (out.size() > count) out.resize(count);
    return out;
}

}  // namespace podlane::control
