// Tables of command-line options: one row per option, from which parsing, help, man pages and
// completion are made.
//
// podlanectl and podlaned describe their options with it. Pure values, known when compiled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podlane::control {

enum class OptionType : uint8_t {
    kFlag,      ///< takes no value
    kText,      ///< one value
    kRepeated,  ///< one value, may be repeated
    kTexts,     ///< values, may be repeated, and several may follow the option
    kNumber,    ///< a whole number from 0 on
    kPort,      ///< 1-65535
    kWord,      ///< one of `words`
};

/// One option.
struct OptionRow {
    std::string_view name;  ///< "filename", typed --filename
    char letter = 0;        ///< 'f', typed -f; 0: none
    OptionType type = OptionType::kFlag;
    std::string_view value = {};  ///< what help calls its value: "FILE..."
    std::string_view help = {};   ///< one line, without a full stop
    std::string_view words = {};  ///< kWord: "tcp udp sctp icmp"
    std::string_view param = {};  ///< the parameter of the RPC method that it becomes; may be empty
    bool is_required = false;

    [[nodiscard]] constexpr bool takes_value() const noexcept { return type != OptionType::kFlag; }
};

/// The words of a list such as "tcp udp", one by one.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view list);

/// "-f, --filename FILE...", "--netns PATH".
[[nodiscard]] std::string option_usage(const OptionRow& row);

}  // namespace podlane::control
