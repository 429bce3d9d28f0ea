#include "runtime/formats/json_tree.h"

#include <fmt/format.h>

#include <vector>

namespace nibble {
namespace {

using Json = nlohmann::json;

// Builds the tree; returns false, which ends the parse, with the reason in `error`.
class TreeBuilder final : public nlohmann::json_sax<Json> {
public:
  Json root;
  std::string error;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string &) override { return add(value); }
  bool string(std::string &value) override { return add(std::move(value)); }
  bool binary(Json::binary_t &) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string &name) override {
    auto [it, isNew] = open_.back()->get_ref<Json::object_t &>().try_emplace(name, nullptr);
    slot_ = &it->second;
    if (!isNew)
      error = fmt::format("key '{}' is given twice", name);
    return isNew;
  }

  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &exception) override {
    // Drop the library's tag "[json.exception.parse_error.101] ".
    std::string_view reason = exception.what();
    if (size_t end = reason.find("] "); end != std::string_view::npos)
      reason.remove_prefix(end + 2);
    error = fmt::format("not JSON near byte {}: {}", position, reason.substr(0, 200));
    return false;
  }

private:
  Json *place(Json &&value) {
    if (open_.empty())
      return &(root = std::move(value));
    if (open_.back()->is_array())
      return &open_.back()->get_ref<Json::array_t &>().emplace_back(std::move(value));
    return &(*slot_ = std::move(value));
  }
  bool add(Json &&value) { return place(std::move(value)) != nullptr; }

  bool open(Json &&container) {
    if (open_.size() == kMaximumJsonDepth) {
      error = fmt::format("nested deeper than {}", kMaximumJsonDepth);
      return false;
    }
    // Stays where it is: its parent does not grow while it is open.
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<Json *> open_;
  Json *slot_ = nullptr;
};

} // namespace

Result<Json> parseJsonTree(std::string_view text) {
  TreeBuilder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder))
    return Status::badInput(builder.error.empty() ? "not JSON" : builder.error);
  return std::move(builder.root);
}

} // namespace nibble
