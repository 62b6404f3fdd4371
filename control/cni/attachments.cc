#include "control/cni/attachments.h"

namespace podlane::cni {
namespace {

std::vector<Attachment> listed(const Folder& folder) {
    std::vector<Attachment> found;
    for (const std::string& name : folder.names()) found.push_back(Attachment::from_key(name));
    return found;
}

}  // namespace

Attachments::Attachments(const std::string& folder, std::chrono::milliseconds wait)
    : records_(folder + "/attachments"), owed_(folder + "/removals"), wait_(wait) {}

void Attachments::keep(const Attachment& attachment, const Record& record) const {
    const Json text = {{"pod", record.pod}, {"netns", record.netns}, {"result", record.result}};
    records_.write(attachment.key(), text.dump() + '\n');
}

std::optional<Record> Attachments::find(const Attachment& attachment) const {
    const auto text = records_.read(attachment.key());
    if (!text) return std::nullopt;
    const Json json = Json::parse(*text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    return Record{json.value("pod", ""), json.value("netns", ""), json.value("result", Json())};
}

void Attachments::forget(const Attachment& attachment) const {
    records_.remove(attachment.key());
}

std::vector<Attachment> Attachments::all() const {
    return listed(records_);
}

void Attachments::owe_removal(const Attachment& attachment) const {
    owed_.write(attachment.key(), "");
}

void Attachments::pay_removals(const std::function<void(const Attachment&)>& remove) const {
    if (owed_.names().empty()) return;
    const auto lock = owed_.lock(wait_);
    for (const Attachment& attachment : listed(owed_)) {
        remove(attachment);
        owed_.remove(attachment.key());
    }
}

}  // namespace podlane::cni
