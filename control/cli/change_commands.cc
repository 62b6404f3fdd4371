// The rows of the commands that change objects (apply, delete, replace) or only read them
// (validate, diff).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>

#include "control/cli/commands.h"
#include "control/cli/diff.h"
#include "control/cli/documents.h"
#include "control/cli/kinds.h"
#include "control/cli/report.h"
#include "control/cli/run.h"
#include "control/cli/target.h"
#include "control/document/fields.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr OptionRow kFiles{"filename", 'f', OptionType::kTexts, "FILE...",
                           "files, folders (their *.yaml, *.yml, *.json), - for standard input"};
constexpr OptionRow kOwner{
    "owner", 0,      OptionType::kText, "NAME", "owner of these objects (default: operator)",
    "",      "owner"};
constexpr OptionRow kEach{
    "each", 0,     OptionType::kFlag, "", "refuse single objects, name them and take the rest",
    "",     "each"};

constexpr auto kApplyOptions = std::to_array<OptionRow>({kFiles, kOwner, kEach});
constexpr auto kDeleteOptions = std::to_array<OptionRow>(
    {kFiles,
     kOwner,
     {"namespace", 'n', OptionType::kText, "NS", "where a NAME without namespace is"}});
constexpr auto kReplaceOptions =
    std::to_array<OptionRow>({kFiles,
                              kOwner,
                              {"kinds", 0, OptionType::kText, "KIND,...",
                               "objects of other kinds stay as they are (default: all kinds)"},
                              {"allow-empty", 0, OptionType::kFlag, "",
                               "accept an empty set, or one without a Node", "", "allowEmpty"},
                              kEach});
constexpr auto kLookOptions = std::to_array<OptionRow>({kFiles});

constexpr std::string_view kFilesDetails =
    "FILE is a file, a folder (its *.yaml, *.yml and *.json files in the order of their names; "
    "those that hold no objects are passed over), or - for standard input.";

std::string needs_files(Invocation& call) {
    return call.has("filename") ? "" : "-f FILE is needed";
}

std::vector<std::string_view> comma_words(std::string_view list) {
    std::vector<std::string_view> words;
    while (true) {
        const size_t comma = list.find(',');
        words.push_back(list.substr(0, comma));
        if (comma == std::string_view::npos) return words;
        list.remove_prefix(comma + 1);
    }
}

std::string replace_fault(Invocation& call) {
    const std::string list = call.text("kinds");
    for (const std::string_view word : comma_words(list)) {
        if (!call.has("kinds")) break;
        const CliKind* kind = find_kind(word);
        if (kind == nullptr || !kind->object) return "--kinds: " + unknown_kind(word, true);
    }
    return needs_files(call);
}

bool is_blank(const TextDocument& document) {
    return document.text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// An empty input is what a pipe delivers when its first program fails.
std::string empty_fault(const Invocation& call, const std::vector<TextDocument>& documents) {
    if (!std::ranges::all_of(documents, is_blank)) return {};
    const std::string where = documents.empty() ? "no file" : documents.front().name;
    if (call.command->name == "replace") {
        if (call.has("allow-empty")) return {};
        return fmt::format(
            "{}: is empty; replace would remove every object (--allow-empty if that is meant)",
            where);
    }
    return fmt::format("{}: is empty; there is nothing to {}", where, call.command->name);
}

Result<void> add_documents(const Invocation& call, CliEnvironment& environment, Json& params) {
    auto read = read_documents(call.options.texts("filename"), environment.in);
    if (!read) return read.error();
    for (const std::string& notice : read->notices) {
        environment.err << "notice: " << printable(notice) << '\n';
    }
    if (auto wrong = empty_fault(call, read->documents); !wrong.empty()) return Error{wrong};
    Json& files = params["files"] = Json::array();
    for (TextDocument& document : read->documents) {
        Json file{{"name", std::move(document.name)}};
        file["text"] = std::move(document.text);
        files.push_back(std::move(file));
    }
    if (call.has("kinds")) {
        Json& kinds = params["kinds"] = Json::array();
        const std::string list = call.text("kinds");
        for (const std::string_view word : comma_words(list)) {
            kinds.push_back(find_kind(word)->plural);
        }
    }
    return {};
}

std::string delete_fault(Invocation& call) {
    if (call.has("filename")) {
        return call.words.empty() ? "" : "either -f FILE or KIND and NAME, not both";
    }
    if (call.words.empty()) return "either -f FILE, or KIND and NAMESPACE/NAME are needed";
    const auto targets = targets_of(call, true);
    if (const auto* wrong = std::get_if<std::string>(&targets)) return *wrong;
    for (const Target& target : std::get<std::vector<Target>>(targets)) {
        if (!target.is_one()) {
            return fmt::format("{}: a name is needed; all of a kind are not deleted at once",
                               target.kind->plural);
        }
    }
    return {};
}

// One object per call; the first refusal ends it.
int run_delete(const Invocation& call, CliEnvironment& environment) {
    Json params;
    if (call.has("owner")) params["owner"] = call.text("owner");
    std::vector<Json> calls;
    if (call.has("filename")) {
        if (auto added = add_documents(call, environment, params); !added) {
            return fail(environment, added.error());
        }
        calls.push_back(std::move(params));
    } else {
        const auto targets = targets_of(call, true);
        for (const Target& target : std::get<std::vector<Target>>(targets)) {
            params["kind"] = target.kind->plural;
            params["name"] = target.name;
            calls.push_back(params);
        }
    }
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    for (const Json& each : calls) {
        const auto reply = client->call("delete", each);
        if (!reply) return fail(environment, reply.error());
        show_notices(reply.value(), environment);
        const bool is_text =
            call.format == OutputFormat::kTable || call.format == OutputFormat::kWide;
        environment.out << (is_text ? change_text(reply.value())
                                    : data_text(call.format, reply.value()));
    }
    return finish(environment);
}

std::string show_change(const Invocation&, const Json& reply, const Screen&) {
    return change_text(reply);
}
std::string show_validation(const Invocation&, const Json& reply, const Screen&) {
    return "valid; " + plan_text(reply);
}

int run_diff(const Invocation& call, CliEnvironment& environment) {
    Json params;
    if (auto added = add_documents(call, environment, params); !added) {
        return fail(environment, added.error());
    }
    auto client = connect(call);
    if (!client) return fail(environment, client.error());
    auto reply = client->call("diff", params);
    if (!reply) return fail(environment, reply.error());
    show_notices(reply.value(), environment);
    if (call.format != OutputFormat::kTable && call.format != OutputFormat::kWide) {
        environment.out << data_text(call.format, reply.value());
        return finish(environment);
    }
    add_before_and_after(reply.value(), params.at("files"), [&client](const Json& item) {
        const CliKind* kind = find_kind(item.value("kind", ""));
        const std::string name = item.contains("namespace")
                                     ? item.value("namespace", "") + '/' + item.value("name", "")
                                     : item.value("name", "");
        const auto live =
            client->call("get", {{"kind", kind == nullptr ? "" : kind->plural}, {"name", name}});
        if (!live || live->at("items").size() != 1) return Json::object();
        Json object = live->at("items").at(0);
        if (object.contains("metadata") && object["metadata"].contains("annotations")) {
            object["metadata"]["annotations"].erase("podlane.io/owner");
            if (object["metadata"]["annotations"].empty()) object["metadata"].erase("annotations");
        }
        return object;
    });
    environment.out << diff_text(reply.value()) << plan_text(reply.value());
    return finish(environment);
}

constexpr std::array kChangeCommands{
    CliCommand{.name = "apply",
               .synopsis = "-f FILE...",
               .summary = "add or change objects; all or nothing",
               .details = kFilesDetails,
               .examples = "  podlanectl apply -f configs/demo/ -f extra.yml",
               .options = kApplyOptions,
               .method = "apply",
               .is_change = true,
               .check = needs_files,
               .add_params = add_documents,
               .render = show_change},
    CliCommand{.name = "delete",
               .synopsis = "-f FILE... | KIND NAME...",
               .summary = "remove objects",
               .details = kFilesDetails,
               .examples = "  podlanectl delete -f web.yml\n"
                           "  podlanectl delete service shop/web\n"
                           "  podlanectl delete svc/web -n shop",
               .options = kDeleteOptions,
               .most_words = 1000,
               .word_kind = WordKind::kKinds,
               .method = "delete",
               .is_change = true,
               .check = delete_fault,
               .run = run_delete},
    CliCommand{.name = "replace",
               .synopsis = "-f FILE...",
               .summary = "make the owner's set of objects exactly this; remove all others",
               .details = "An empty set, or one without a Node, is refused unless --allow-empty "
                          "says that it is meant. --owner keeps the objects of others out of it, "
                          "--kinds those of other kinds.",
               .examples = "  kubectl get nodes,ns,pods,svc,endpointslices,netpol -A -o json "
                           "> objects.json &&\n"
                           "      podlanectl replace -f objects.json",
               .options = kReplaceOptions,
               .method = "replace",
               .is_change = true,
               .check = replace_fault,
               .add_params = add_documents,
               .render = show_change},
    CliCommand{.name = "validate",
               .synopsis = "-f FILE...",
               .summary = "check objects; change nothing",
               .details = kFilesDetails,
               .examples = "  podlanectl validate -f web.yml",
               .options = kLookOptions,
               .method = "validate",
               .is_change = true,
               .check = needs_files,
               .add_params = add_documents,
               .render = show_validation},
    CliCommand{.name = "diff",
               .synopsis = "-f FILE...",
               .summary = "show what apply would change, field by field; change nothing",
               .details = kFilesDetails,
               .examples = "  podlanectl diff -f web.yml",
               .options = kLookOptions,
               .method = "diff",
               .is_change = true,
               .check = needs_files,
               .run = run_diff},
};

}  // namespace

std::span<const CliCommand> change_commands() noexcept {
    return kChangeCommands;
}

}  // namespace podlane::control
