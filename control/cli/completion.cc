#include "control/cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"

namespace podlane::control {
namespace {

/// What differs between the shells.
struct Shell {
    bool is_zsh;
    std::string_view word;      ///< the i-th word of the line
    std::string_view previous;  ///< the word before the one being completed
    std::string_view first;     ///< index of the first word after the program's name
    std::string_view current;   ///< index of the word being completed
};

constexpr Shell kBash{false, "${COMP_WORDS[i]}", "${COMP_WORDS[COMP_CWORD-1]}", "1", "COMP_CWORD"};
constexpr Shell kZsh{true, "${words[i]}", "${words[CURRENT-1]}", "2", "CURRENT"};

/// A word and its help text.
struct Choice {
    std::string word;
    std::string_view help;
};

std::string quoted(std::string_view text, bool escape_colons) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else if (c == ':' && escape_colons) {
            out += "\\:";
        } else {
            out += c;
        }
    }
    return out + "'";
}

/// The shell's line that offers these choices.
std::string offer(const Shell& shell, const std::vector<Choice>& choices) {
    std::string line;
    if (!shell.is_zsh) {
        for (const Choice& choice : choices) line += (line.empty() ? "" : " ") + choice.word;
        return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))", quoted(line, false));
    }
    for (const Choice& choice : choices) {
        std::string text = quoted(choice.word, true);
        if (!choice.help.empty()) {
            text.back() = ':';
            text += quoted(choice.help, true).substr(1);
        }
        line += ' ' + text;
    }
    return fmt::format("choices=({}); _describe -o choice choices",
                       line.substr(line.empty() ? 0 : 1));
}

std::string offer_files(const Shell& shell) {
    return shell.is_zsh ? "_files" : "COMPREPLY=($(compgen -f -- \"$cur\"))";
}

std::vector<Choice> option_choices(std::span<const OptionRow> own) {
    std::vector<Choice> choices;
    for (const auto rows : {own, global_options()}) {
        for (const OptionRow& row : rows) {
            if (row.letter != 0) choices.push_back({fmt::format("-{}", row.letter), row.help});
            choices.push_back({fmt::format("--{}", row.name), row.help});
        }
    }
    return choices;
}

std::vector<Choice> kind_choices(bool objects_only) {
    std::vector<Choice> choices;
    for (const CliKind& kind : cli_kinds()) {
        if (objects_only && !kind.object) continue;
        choices.push_back({kind.plural, kind.live == nullptr ? "" : kind.live->summary});
    }
    return choices;
}

/// The words that follow `prefix` in commands' names; "" for the first ones.
std::vector<Choice> command_choices(std::string_view prefix) {
    std::vector<Choice> choices;
    for (const CliCommand* command : cli_commands()) {
        if (!command->name.starts_with(prefix)) continue;
        const std::string_view rest = command->name.substr(prefix.size());
        const size_t blank = rest.find(' ');
        std::string word(rest.substr(0, blank));
        if (!choices.empty() && choices.back().word == word) continue;
        choices.push_back({std::move(word), blank == std::string_view::npos ? command->summary
                                                                            : std::string_view()});
    }
    if (prefix.empty()) choices.push_back({"help", "the help of a command"});
    return choices;
}

std::string patterns(const OptionRow& row) {
    return row.letter == 0 ? fmt::format("--{}", row.name)
                           : fmt::format("-{}|--{}", row.letter, row.name);
}

/// The options of all commands, once each, by what the user types.
std::map<std::string, const OptionRow*> options_by_pattern() {
    std::map<std::string, const OptionRow*> rows;
    for (const OptionRow& row : global_options()) rows.emplace(patterns(row), &row);
    for (const CliCommand* command : cli_commands()) {
        for (const OptionRow& row : command->options) rows.emplace(patterns(row), &row);
    }
    return rows;
}

/// Finds the command in the words before the one being completed.
std::string find_command_text(const Shell& shell) {
    std::string groups, valued;
    for (const Choice& choice : command_choices("")) {
        if (command_choices(choice.word + ' ').empty()) continue;
        groups += (groups.empty() ? "" : "|") + choice.word;
    }
    for (const auto& [pattern, row] : options_by_pattern()) {
        if (row->takes_value()) valued += (valued.empty() ? "" : "|") + pattern;
    }
    return fmt::format(
        "    for ((i = {}; i < {}; i++)); do\n"
        "        word=\"{}\"\n"
        "        if [[ -n $skip ]]; then skip=''; continue; fi\n"
        "        case \"$word\" in\n"
        "            {}) skip=1 ;;\n"
        "            -*) ;;\n"
        "            *) case \"$command\" in\n"
        "                   ''|help) command=\"$word\" ;;\n"
        "                   {}) command=\"$command $word\" ;;\n"
        "                   *) count=$((count + 1)) ;;\n"
        "               esac ;;\n"
        "        esac\n"
        "    done\n",
        shell.first, shell.current, shell.word, valued, groups);
}

/// The allowed values of an option.
std::string values_text(const Shell& shell) {
    std::string text = fmt::format("    case \"{}\" in\n", shell.previous);
    for (const auto& [pattern, row] : options_by_pattern()) {
        if (!row->takes_value()) continue;
        std::string action = ":";
        if (row->type == OptionType::kWord) {
            std::vector<Choice> words;
            for (const std::string_view word : words_of(row->words)) {
                words.push_back({std::string(word), ""});
            }
            action = offer(shell, words);
        } else if (row->value.starts_with("FILE") || row->value == "PATH" || row->value == "DIR") {
            action = offer_files(shell);
        }
        text += fmt::format("        {}) {}; return ;;\n", pattern, action);
    }
    return text + "    esac\n";
}

std::string body(const Shell& shell) {
    std::string text = find_command_text(shell) + values_text(shell);
    text += "    if [[ \"$cur\" == -* ]]; then\n        case \"$command\" in\n";
    for (const CliCommand* command : cli_commands()) {
        text += fmt::format("            '{}') {} ;;\n", command->name,
                            offer(shell, option_choices(command->options)));
    }
    text += fmt::format("            *) {} ;;\n        esac\n        return\n    fi\n",
                        offer(shell, option_choices({})));
    text += fmt::format("    case \"$command\" in\n        ''|help) {} ;;\n",
                        offer(shell, command_choices("")));
    for (const Choice& choice : command_choices("")) {
        const auto second_words = command_choices(choice.word + ' ');
        if (!second_words.empty())
            text += fmt::format("        {}) {} ;;\n", choice.word, offer(shell, second_words));
    }
    for (const CliCommand* command : cli_commands()) {
        if (command->word_kind == WordKind::kKinds) {
            text +=
                fmt::format("        '{}') if [[ $count -eq 0 ]]; then {}; fi ;;\n", command->name,
                            offer(shell, kind_choices(command->name == "delete")));
        }
    }
    return text + "    esac\n";
}

}  // namespace

std::string bash_completion() {
    return "# bash completion for podlanectl, made by \"podlanectl completion bash\".\n"
           "_podlanectl() {\n"
           "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" command='' skip='' word='' i count=0\n"
           "    COMPREPLY=()\n" +
           body(kBash) + "}\ncomplete -F _podlanectl podlanectl\n";
}

std::string zsh_completion() {
    return "#compdef podlanectl\n"
           "# zsh completion for podlanectl, made by \"podlanectl completion zsh\".\n"
           "_podlanectl() {\n"
           "    local cur=\"${words[CURRENT]}\" command='' skip='' word=''\n"
           "    local -i i count=0\n"
           "    local -a choices\n" +
           body(kZsh) +
           "}\n"
           "if [[ \"${funcstack[1]}\" == _podlanectl ]]; then _podlanectl \"$@\"; "
           "else compdef _podlanectl podlanectl; fi\n";
}

}  // namespace podlane::control
