// Fills the tensors of a call from the scheduler's plan.
#include "runtime/rollout/batch.h"

#include "runtime/core/program/bind.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

void RolloutBatch::clear() {
  tokens_.clear();
  positions_.clear();
  sequences_.assign(1, 0);
  rows_.clear();
  pageLists_.clear();
}

void RolloutBatch::add(const PlannedTokens &planned,
                       std::span<const int32_t> tokens, int64_t draws) {
  for (int64_t i = planned.begin; i < planned.begin + planned.count; ++i) {
    tokens_.push_back(tokens[i]);
    positions_.push_back(static_cast<int32_t>(i));
  }
  sequences_.push_back(static_cast<int32_t>(tokens_.size()));
  pageLists_.push_back(&planned.sequence->pages);
  rows_.insert(rows_.end(), static_cast<size_t>(draws),
               static_cast<int32_t>(tokens_.size()) - 1);
}

Status RolloutBatch::bind(Function &forward) {
  NIBBLE_TRY(bindIfTaken(forward, "tokens", viewOf(tokens_)));
  NIBBLE_TRY(bindIfTaken(forward, "positions", viewOf(positions_)));
  NIBBLE_TRY(bindIfTaken(forward, "sequences", viewOf(sequences_)));
  NIBBLE_TRY(bindIfTaken(forward, "rows", viewOf(rows_)));
  int index = forward.argument("pages");
  if (index < 0)
    return Status::ok();
  size_t columns = 1;
  for (const auto *list : pageLists_)
    columns = std::max(columns, list->size());
  int64_t declared = forward.info().arguments[index].rank == 2
                         ? forward.info().arguments[index].shape[1]
                         : -1;
  if (declared >= 0 && declared < static_cast<int64_t>(columns))
    return Status::usage(
        fmt::format("rollout: a sequence needs {} pages where the program was "
                    "compiled for {}; compile it "
                    "for a longer context",
                    columns, declared));
  columns = declared >= 0 ? static_cast<size_t>(declared) : columns;
  pages_.assign(pageLists_.size() * columns, 0);
  for (size_t i = 0; i < pageLists_.size(); ++i)
    std::copy(pageLists_[i]->begin(), pageLists_[i]->end(),
              pages_.begin() + i * columns);
  TensorView pages = viewOf(pages_);
  pages.shape = {static_cast<int64_t>(pageLists_.size()),
                 static_cast<int64_t>(columns)};
  return forward.bind(index, pages);
}

} // namespace nibble
