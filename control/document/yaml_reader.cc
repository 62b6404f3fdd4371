// YAML through yaml-cpp's event interface, with scalars resolved as Kubernetes' reader does
// (YAML 1.1 as in sigs.k8s.io/yaml).
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>

#include "control/document/builder.h"
#include "control/document/yaml_scalar.h"

namespace podlane::control {

namespace {

/// An input stream over text that somebody else owns.
class TextBuffer : public std::streambuf {
  public:
    explicit TextBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // only ever read
        setg(begin, begin, begin + text.size());
    }
};

/// Thrown through yaml-cpp to make it stop once the builder has an error.
struct Stop {};

class Events : public YAML::EventHandler {
  public:
    explicit Events(DocumentBuilder& builder) : builder_(builder) {}

    // The names are yaml-cpp's.
    void OnDocumentStart(const YAML::Mark& mark) override {
        // At a stray `,` the parser finds an empty document again and again.
        if (mark.pos == document_start_)
            check(builder_.fail(at(mark), "not YAML: no value begins here"));
        document_start_ = mark.pos;
        builder_.begin_document();
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check(builder_.scalar(ValueType::kNull, {}, at(mark), anchor));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check(builder_.alias(at(mark), anchor));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        const auto scalar = resolve_yaml_scalar(tag, value);
        if (!scalar) {
            check(builder_.fail(at(mark), fmt::format("the tag {} cannot be used for \"{}\"", tag,
                                                      value.substr(0, 60))));
        }
        if (tag == "?" && value == "<<" && builder_.expects_key()) {
            check(builder_.fail(at(mark), "merge keys (<<) are not supported"));
        }
        check(builder_.scalar(scalar->type, builder_.arena().copy(scalar->text), at(mark), anchor));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override {
        check_container_tag(mark, tag, "tag:yaml.org,2002:seq");
        check(builder_.begin_sequence(at(mark), anchor));
    }
    void OnSequenceEnd() override { check(builder_.end_container()); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override {
        check_container_tag(mark, tag, "tag:yaml.org,2002:map");
        check(builder_.begin_mapping(at(mark), anchor));
    }
    void OnMapEnd() override { check(builder_.end_container()); }

    static DocumentBuilder::Position at(const YAML::Mark& mark) {
        if (mark.is_null()) return {};
        return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
    }

  private:
    static void check(bool goes_on) {
        if (!goes_on) throw Stop();
    }
    void check_container_tag(const YAML::Mark& mark, const std::string& tag,
                             std::string_view usual) {
        if (tag.empty() || tag == "?" || tag == "!" || tag == usual) return;
        check(builder_.fail(at(mark), fmt::format("the tag {} is not supported", tag)));
    }

    DocumentBuilder& builder_;
    int document_start_ = -1;  // offset of the document before
};

}  // namespace

Result<void> read_yaml(std::string_view text, std::string_view name,
                       const DocumentHandler& handler) {
    Arena arena;
    DocumentBuilder builder(name, handler, arena);
    Events events(builder);
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(events)) {
            if (!builder.end_document()) break;
        }
    } catch (const Stop&) {
        // The builder knows why.
    } catch (const YAML::Exception& e) {
        return document_error(name, Events::at(e.mark), fmt::format("not YAML: {}", e.msg));
    }
    if (builder.failed()) return builder.error();
    return {};
}

}  // namespace podlane::control
