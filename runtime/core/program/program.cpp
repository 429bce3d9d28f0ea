// Checks a program's table, its arguments and their shapes, and calls its
// functions.
#include "runtime/core/program/program.h"

#include "runtime/core/guarded_call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nibble {

namespace {

int indexOf(const nibble_value_info *values, int count, std::string_view name) {
  for (int i = 0; i < count; ++i)
    if (name == values[i].name)
      return i;
  return -1;
}

std::vector<std::string_view> namesOf(const nibble_value_info *values,
                                      int count) {
  std::vector<std::string_view> names;
  for (int i = 0; i < count; ++i)
    names.push_back(values[i].name);
  return names;
}

Shape shapeOf(const nibble_value_info &info) {
  return Shape(info.shape, info.shape + info.rank);
}

bool fits(const nibble_value_info &info, const Shape &shape) {
  if (static_cast<int32_t>(shape.size()) != info.rank)
    return false;
  for (int i = 0; i < info.rank; ++i)
    if (info.shape[i] >= 0 && info.shape[i] != shape[i])
      return false;
  return true;
}

// Checks everything in a table before it is used, since it may come from a
// file.
Status check(const char *function, const nibble_value_info *values,
             int32_t count) {
  if (count < 0 || (count > 0 && !values))
    return Status::badInput(fmt::format(
        "program: function '{}' has a broken table; compile it again",
        function));
  for (int32_t i = 0; i < count; ++i) {
    const nibble_value_info &info = values[i];
    if (!info.name || info.rank < 0 || info.rank > NIBBLE_MAX_RANK ||
        info.dtype < NIBBLE_DTYPE_F32 || info.dtype > NIBBLE_DTYPE_F16)
      return Status::badInput(
          fmt::format("program: value {} of function '{}' has no name or an "
                      "unknown rank or dtype; compile it again",
                      i, function));
  }
  return Status::ok();
}

constexpr int wordsOf(int rank) { return 3 + 2 * rank; }

// Passes tensors through MLIR's packed C interface; no other code knows its
// layout. Entry i of `values` points to a pointer to the descriptor of argument
// i (layout: ABI.h). The descriptors of all results lie one after the other
// where values[0] points.
class Frame {
public:
  explicit Frame(const nibble_function &info) : info_(info) {
    size_t words = 0;
    for (int i = 0; i < info.argument_count; ++i)
      words += wordsOf(info.arguments[i].rank);
    for (int i = 0; i < info.result_count; ++i)
      words += wordsOf(info.results[i].rank);
    words_.assign(words, 0); // never grows, so pointers into it stay valid
    descriptors_.reserve(info.argument_count);
    values_.reserve(info.argument_count + 1);
    for (int i = 0; i < info.result_count; ++i)
      next_ += wordsOf(info.results[i].rank);
    if (info.result_count > 0)
      values_.push_back(words_.data());
  }

  void pass(const TensorView &tensor) {
    int64_t *word = words_.data() + next_;
    size_t rank = tensor.shape.size();
    next_ += wordsOf(static_cast<int>(rank));
    word[0] = word[1] = reinterpret_cast<int64_t>(tensor.data);
    word[2] = 0;
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
      word[3 + i] = tensor.shape[i];
      word[3 + rank + i] = stride;
      stride *= tensor.shape[i];
    }
    descriptors_.push_back(word);
    values_.push_back(&descriptors_.back());
  }

  EarlyEnd enter() { return callGuarded(info_.entry, values_.data()); }

  Result<std::vector<TensorView>> results() const {
    std::vector<TensorView> views;
    const int64_t *word = words_.data();
    for (int i = 0; i < info_.result_count; ++i) {
      const nibble_value_info &result = info_.results[i];
      int rank = result.rank;
      TensorView view{static_cast<DType>(result.dtype),
                      Shape(word + 3, word + 3 + rank), nullptr};
      int64_t stride = 1;
      bool dense = true;
      for (int d = rank; d-- > 0; stride *= view.shape[d])
        dense &= word[3 + rank + d] == stride || view.shape[d] <= 1;
      if (!fits(result, view.shape) || (!dense && view.elements() > 0))
        return Status::failed(
            fmt::format("program: result '{}' of '{}' came back as {} where "
                        "the table says {}{}; compile it again",
                        result.name, info_.name, toString(view.shape),
                        toString(shapeOf(result)),
                        dense ? "" : ", and not densely packed"));
      view.data = reinterpret_cast<std::byte *>(word[1]) +
                  word[2] * bitsOf(view.dtype) / 8;
      views.push_back(std::move(view));
      word += wordsOf(rank);
    }
    return views;
  }

private:
  const nibble_function &info_;
  std::vector<int64_t> words_;
  std::vector<void *> descriptors_, values_;
  size_t next_ = 0;
};

} // namespace

Function::Function(const nibble_function &info, int index,
                   std::shared_ptr<void> owner,
                   std::shared_ptr<ProgramBackend> backend)
    : info_(&info), index_(index), owner_(std::move(owner)),
      backend_(std::move(backend)), bound_(info.argument_count),
      isBound_(info.argument_count) {}

int Function::argument(std::string_view name) const {
  return indexOf(info_->arguments, info_->argument_count, name);
}
int Function::result(std::string_view name) const {
  return indexOf(info_->results, info_->result_count, name);
}

Status Function::bind(std::string_view name, const TensorView &tensor) {
  int index = argument(name);
  if (index < 0)
    return Status::usage(fmt::format(
        "program: function '{}' has no argument '{}'; it takes {}", info_->name,
        name,
        fmt::join(namesOf(info_->arguments, info_->argument_count), ", ")));
  return bind(index, tensor);
}

Status Function::bind(int index, const TensorView &tensor) {
  if (index < 0 || index >= info_->argument_count)
    return Status::usage(fmt::format(
        "program: function '{}' has {} arguments, not {}; give as many",
        info_->name, info_->argument_count, index + 1));
  const nibble_value_info &info = info_->arguments[index];
  if (static_cast<DType>(info.dtype) != tensor.dtype ||
      !fits(info, tensor.shape))
    return Status::usage(fmt::format(
        "program: argument '{}' of '{}' takes {} {}, not {} {}; give one of "
        "that type",
        info.name, info_->name, nameOf(static_cast<DType>(info.dtype)),
        toString(shapeOf(info)), nameOf(tensor.dtype), toString(tensor.shape)));
  if (!tensor.data && !(backend_ && tensor.device) && tensor.elements() > 0)
    return Status::usage(fmt::format(
        "program: argument '{}' of '{}' has no memory; give a tensor",
        info.name, info_->name));
  if (backend_ && info.role != NIBBLE_ROLE_INPUT)
    NIBBLE_TRY(backend_->bind(info, tensor));
  bound_[index] = tensor;
  isBound_[index] = true;
  return Status::ok();
}

void Function::keepOnDevice(int result) {
  auto place = std::lower_bound(kept_.begin(), kept_.end(), result);
  if (place == kept_.end() || *place != result)
    kept_.insert(place, result);
}

Result<std::string> Function::profile(int repeats) {
  if (!backend_)
    return Status::usage("profile: a program for this machine is timed when it "
                         "was compiled to be; compile it with --profile");
  return backend_->profile(index_, bound_, repeats);
}

Result<int64_t> Function::planBytes(int64_t extent) const {
  if (!backend_)
    return Status::usage("plan: what a call takes is known of a program for a "
                         "device only; compile it with --target=cuda");
  return backend_->planBytes(index_, extent);
}

Result<std::vector<TensorView>> Function::call(Arena &arena) {
  for (int i = 0; i < info_->argument_count; ++i)
    if (!isBound_[i])
      return Status::failed(fmt::format("program: argument '{}' of '{}' was "
                                        "never bound; bind it before the call",
                                        info_->arguments[i].name, info_->name));
  if (backend_)
    return backend_->call(index_, bound_, kept_, arena);
  Frame frame(*info_);
  for (const TensorView &tensor : bound_)
    frame.pass(tensor);
  {
    Arena::Scope scope(arena);
    EarlyEnd end = frame.enter();
    if (end.violated)
      return Status::failed(fmt::format(
          "{} (an assertion of '{}'); give inputs for which it holds",
          end.violated, info_->name));
    if (end)
      return Status::environment(
          fmt::format("program: no memory for {} bytes in '{}'; let a call "
                      "take fewer tokens (max_tokens, "
                      "max_tokens_per_call) or use a machine with more",
                      end.bytes, info_->name));
  }
  return frame.results();
}

Result<Program> Program::create(const nibble_program &table,
                                std::shared_ptr<void> owner) {
  return create(table, std::move(owner), nullptr);
}

Result<Program> Program::create(const nibble_program &table,
                                std::shared_ptr<void> owner,
                                std::shared_ptr<ProgramBackend> backend) {
  if (table.abi_version != NIBBLE_ABI_VERSION)
    return Status::environment(
        fmt::format("program: made for interface version {}, this runtime has "
                    "{}; compile it again",
                    table.abi_version, NIBBLE_ABI_VERSION));
  if (table.function_count < 0 ||
      (table.function_count > 0 && !table.functions))
    return Status::badInput("program: broken function table; compile it again");
  for (const nibble_function &function :
       std::span(table.functions, table.function_count)) {
    if (!function.name || (!function.entry && !backend))
      return Status::badInput(
          "program: a function has no name or no code; compile it again");
    NIBBLE_TRY(
        check(function.name, function.arguments, function.argument_count));
    NIBBLE_TRY(check(function.name, function.results, function.result_count));
  }
  Program program;
  program.table_ = &table;
  program.owner_ = std::move(owner);
  program.backend_ = std::move(backend);
  return program;
}

Result<Function> Program::function(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const nibble_function &function : functions()) {
    if (name == function.name)
      return Function(function, static_cast<int>(&function - table_->functions),
                      owner_, backend_);
    names.push_back(function.name);
  }
  return Status::usage(fmt::format("program: no function '{}'; it has {}", name,
                                   fmt::join(names, ", ")));
}

bool Program::has(std::string_view name) const {
  for (const nibble_function &function : functions())
    if (name == function.name)
      return true;
  return false;
}

std::span<const nibble_function> Program::functions() const {
  return table_ ? std::span(table_->functions,
                            static_cast<size_t>(table_->function_count))
                : std::span<const nibble_function>();
}

} // namespace nibble
