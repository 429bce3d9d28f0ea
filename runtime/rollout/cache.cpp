// Allocates the cache's tensors and copies pages within them.
#include "runtime/rollout/cache.h"

#include <fmt/format.h>

#include <string_view>

namespace nibble {

Result<KeyValueCache> KeyValueCache::describe(const Function &forward) {
  KeyValueCache cache;
  const nibble_function &info = forward.info();
  for (int i = 0; i < info.argument_count; ++i) {
    const nibble_value_info &argument = info.arguments[i];
    std::string_view name = argument.name;
    bool key = name.starts_with("key_cache:");
    bool value = name.starts_with("value_cache:");
    if (!key && !value)
      continue;
    if (argument.role != NIBBLE_ROLE_STATE || argument.rank != 4 ||
        argument.shape[0] >= 0)
      return Status::failed(
          fmt::format("program: '{}' of '{}' is not a paged cache [?, heads, "
                      "., .]; compile the rollout again",
                      name, info.name));
    Layout layout{i, static_cast<DType>(argument.dtype),
                  Shape(argument.shape + 1, argument.shape + 4)};
    int64_t pageSize = layout.page[key ? 2 : 1];
    auto elements = elementCount(layout.page);
    if (!elements || *elements == 0 ||
        (cache.pageSize_ && pageSize != cache.pageSize_))
      return Status::failed(
          fmt::format("program: '{}' of '{}' has pages {} unlike the others "
                      "({} tokens); compile the rollout again",
                      name, info.name, toString(layout.page), cache.pageSize_));
    cache.pageSize_ = pageSize;
    cache.bytesPerPage_ += *elements * bitsOf(layout.dtype) / 8;
    cache.layouts_.push_back(std::move(layout));
  }
  if (cache.layouts_.empty())
    return Status::failed(fmt::format(
        "program: '{}' has no key_cache: or "
        "value_cache: state; it is not a rollout; compile a rollout",
        info.name));
  return cache;
}

Status KeyValueCache::allocate(int64_t pages, Function &forward) {
  tensors_.clear();
  for (const Layout &layout : layouts_) {
    Shape shape = {pages};
    shape.insert(shape.end(), layout.page.begin(), layout.page.end());
    NIBBLE_ASSIGN(ResidentTensor tensor,
                  ResidentTensor::create(forward.residence(), layout.dtype,
                                         std::move(shape),
                                         "key and value cache"));
    NIBBLE_TRY(forward.bind(layout.argument, tensor.view()));
    tensors_.push_back(std::move(tensor));
  }
  return Status::ok();
}

Status KeyValueCache::copyPage(int32_t from, int32_t to) {
  for (ResidentTensor &tensor : tensors_) {
    int64_t bytes = tensor.view().bytes() / tensor.view().shape[0];
    NIBBLE_TRY(tensor.copyWithin(to * bytes, from * bytes, bytes));
  }
  return Status::ok();
}

} // namespace nibble
