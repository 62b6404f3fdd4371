// The page's own files, as podlaned has them in itself: no folder to be found at run time.
//
// embed.py makes the table when the tree is built, of static/ and vendor/; control/daemon/page.cc
// answers with them.
#pragma once

#include <span>
#include <string_view>

namespace podlane::control {

struct PageFile {
    std::string_view path;  ///< "/", "/page/main.js"
    std::string_view content_type;
    std::string_view tag;  ///< of the content, as an ETag has it, quoted
    std::string_view text;
};

/// In the order of their paths; constant while the process lives.
[[nodiscard]] std::span<const PageFile> page_files() noexcept;

}  // namespace podlane::control
