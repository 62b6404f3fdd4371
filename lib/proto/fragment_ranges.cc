#include "lib/proto/fragment_ranges.h"

#include <algorithm>

namespace podlane {

FragmentFit FragmentRanges::add(const FragmentPart& part) noexcept {
    const auto begin = static_cast<uint16_t>(part.offset);
    const auto end = static_cast<uint16_t>(part.end());
    Range* const first = ranges_.data();
    Range* const last = first + count_;
    // The first range that touches the part or lies after it.
    Range* at = std::find_if(first, last, [begin](const Range& r) { return r.end >= begin; });
    if (at != last && at->begin <= begin && end <= at->end) return FragmentFit::kRepeated;
    const bool joins_before = at != last && at->end == begin;
    Range* const next = joins_before ? at + 1 : at;
    if (next != last && next->begin < end) return FragmentFit::kOverlaps;
    // The part goes beyond the packet's end, or claims an end before bytes that have come.
    const uint16_t furthest = count_ == 0 ? uint16_t{0} : last[-1].end;
    const bool ends_badly =
        part.more ? end_ != 0 && end >= end_ : (end_ != 0 && end != end_) || furthest > end;
    if (ends_badly) return FragmentFit::kOverlaps;

    const bool joins_next = next != last && next->begin == end;
    if (!joins_before && !joins_next) {
        if (count_ == kMaxRanges) return FragmentFit::kTooMany;
        std::copy_backward(next, last, last + 1);
        *next = {begin, end};
        ++count_;
    } else if (joins_before && joins_next) {
        at->end = next->end;
        std::copy(next + 1, last, next);
        --count_;
    } else if (joins_before) {
        at->end = end;
    } else {
        next->begin = begin;
    }
    if (!part.more) end_ = end;
    return FragmentFit::kNew;
}

}  // namespace podlane
