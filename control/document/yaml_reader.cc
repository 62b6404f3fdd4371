// YAML through yaml-cpp's event interface; scalars are resolved as in Kubernetes' reader (YAML 1.1,
// sigs.k8s.io/yaml).
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

/// An input stream over text that it does not own.
class TextBuffer : public std::streambuf {
  public:
    explicit TextBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // only read
        setg(begin, begin, begin + text.size());
    }
};

/// Thrown through yaml-cpp to make it stop once the builder has an error.
struct Stop {};

class YamlEvents : public YAML::EventHandler {
  public:
    /// `first`: where the text to read begins.
    YamlEvents(DocumentBuilder& builder, DocumentBuilder::Position first, bool is_again)
        : builder_(builder), first_(first), is_again_(is_again) {}

    // Method names as yaml-cpp requires.
    void OnDocumentStart(const YAML::Mark& mark) override {
        // At a stray `,` the parser finds an empty document again and again.
        if (mark.pos == document_start_)
            check(builder_.fail(at(mark), "not YAML: no value begins here"));
        document_start_ = mark.pos;
        if (is_again_) {
            builder_.begin_document_again();
        } else {
            builder_.begin_document();
        }
        is_again_ = false;
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
            check(builder_.merge_key(at(mark)));
            return;
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

    [[nodiscard]] DocumentBuilder::Position at(const YAML::Mark& mark) const {
        if (mark.is_null()) return first_;
        const uint32_t before = mark.line == 0 ? first_.column : 1;
        return {static_cast<uint32_t>(mark.line) + first_.line,
                static_cast<uint32_t>(mark.column) + before};
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
    DocumentBuilder::Position first_;
    bool is_again_;
    int document_start_ = -1;  // offset of the previous document
};

}  // namespace

void read_yaml(std::string_view text, Start start, bool is_again, DocumentBuilder& builder) {
    const size_t line_start = text.substr(0, start.offset).rfind('\n') + 1;  // npos + 1 is 0
    const auto column = static_cast<uint32_t>(start.offset - line_start + 1);
    YamlEvents events(builder, {start.line, column}, is_again);
    TextBuffer buffer(text.substr(start.offset));
    std::istream stream(&buffer);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(events)) {
            if (!builder.end_document()) break;
        }
    } catch (const Stop&) {
        // The builder holds the error.
    } catch (const YAML::Exception& e) {
        builder.fail(events.at(e.mark), fmt::format("not YAML: {}", e.msg));
    }
}

}  // namespace podlane::control
