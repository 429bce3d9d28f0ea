// Compares the grid of a packed checkpoint with that of a run, and reports
// which weights are rounded again.
#include "runtime/train/rounding.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace nibble {

using numerics::Scheme;

namespace {

// How a tensor is packed, if the program rounds it to `scheme`. Otherwise null.
const numerics::PackedLayout *
roundedLayout(const QuantizedCheckpoint &checkpoint, const GridChoice &choice,
              const Scheme &scheme, const std::string &name) {
  const numerics::PackedLayout *stored = checkpoint.packed(name);
  if (!stored || !choice.selection.chooses(name))
    return nullptr;
  numerics::PackedLayout layout = *stored;
  layout.scheme = scheme;
  bool isTaken = choice.keepsStored && stored->scheme.kind == scheme.kind &&
                 stored->scheme.groupSize == scheme.groupSize;
  return isTaken || !layout.problem().empty() ? nullptr : stored;
}

// The settings of `choice` to change for the grid `own`.
std::string settingsFor(const Scheme &own, const GridChoice &choice) {
  std::vector<std::string> settings;
  const GridSpelling &spelling = choice.spelling;
  if (own.kind != choice.scheme.kind)
    settings.push_back(
        fmt::format(fmt::runtime(spelling.scheme), nameOf(own.kind)));
  if (own.groupSize != choice.scheme.groupSize)
    settings.push_back(
        fmt::format(fmt::runtime(spelling.groupSize), own.groupSize));
  if (own.convention != choice.scheme.convention && !choice.keepsStored)
    settings.push_back(
        fmt::format(fmt::runtime(spelling.convention), nameOf(own.convention)));
  return fmt::format("{}", fmt::join(settings, " and "));
}

// The `values` (F32 [N, K]) that programs compute with on the grid.
Result<Tensor> computedValues(const QuantizedCheckpoint &checkpoint,
                              const std::string &name, const Tensor &values,
                              const Scheme &scheme) {
  int64_t count = values.elements();
  std::vector<uint16_t> bits(static_cast<size_t>(count));
  numerics::bf16FromFloats(values.as<float>(), count, bits.data());
  if (auto bad =
          numerics::fakeQuantizeMatrix(bits.data(), values.shape()[0],
                                       values.shape()[1], scheme, bits.data()))
    return Status::badInput(
        fmt::format("checkpoint {}: tensor \"{}\" is not finite at index {}; "
                    "mend the weight",
                    checkpoint.folder(), printable(name), *bad));
  NIBBLE_ASSIGN(Tensor rounded, Tensor::create(DType::kF32, values.shape()));
  for (int64_t i = 0; i < count; ++i)
    rounded.as<float>()[i] =
        numerics::floatFromBf16(bits[static_cast<size_t>(i)]);
  return rounded;
}

// The values of a tensor after a checkpoint stores them on the grid.
Result<Tensor> writtenValues(const QuantizedCheckpoint &checkpoint,
                             const std::string &name,
                             numerics::PackedLayout layout,
                             const Scheme &scheme) {
  layout.scheme = scheme;
  NIBBLE_ASSIGN(PackedWeight packed, checkpoint.pack(name, layout));
  return QuantizedCheckpoint::valuesOf(packed, layout);
}

// Rounds with `scheme` instead of the scheme of `choice`.
Result<RoundingReport> roundTo(const Scheme &scheme,
                               const QuantizedCheckpoint &checkpoint,
                               const GridChoice &choice) {
  RoundingReport report;
  for (const std::string &name : checkpoint.names()) {
    const numerics::PackedLayout *stored =
        roundedLayout(checkpoint, choice, scheme, name);
    if (!stored)
      continue;
    NIBBLE_ASSIGN(Tensor values, checkpoint.readAs(name, DType::kF32));
    NIBBLE_ASSIGN(Tensor rounded,
                  choice.isWritten
                      ? writtenValues(checkpoint, name, *stored, scheme)
                      : computedValues(checkpoint, name, values, scheme));
    int64_t count = values.elements();
    int64_t changed = 0;
    for (int64_t i = 0; i < count; ++i)
      changed += rounded.as<float>()[i] != values.as<float>()[i];
    ++report.tensors;
    report.changedTensors += changed > 0;
    report.values += count;
    report.changedValues += changed;
  }
  return report;
}

} // namespace

Result<RoundingReport> roundAgain(const QuantizedCheckpoint &checkpoint,
                                  const GridChoice &choice) {
  return roundTo(choice.scheme, checkpoint, choice);
}

Result<std::string> roundingWarning(const QuantizedCheckpoint &checkpoint,
                                    const GridChoice &choice) {
  NIBBLE_ASSIGN(RoundingReport report, roundAgain(checkpoint, choice));
  if (report.changedValues == 0)
    return std::string();
  // The checkpoint's own grids, with convention nibble because files do not
  // state the rule.
  std::vector<Scheme> grids;
  for (const std::string &name : checkpoint.names())
    if (const numerics::PackedLayout *stored =
            roundedLayout(checkpoint, choice, choice.scheme, name))
      if (std::find(grids.begin(), grids.end(), stored->scheme) == grids.end())
        grids.push_back(stored->scheme);
  std::string line = fmt::format(
      "checkpoint {}: its packed weights are rounded again, to the grid {}: {} "
      "of {} values "
      "in {} of {} tensors change",
      checkpoint.folder(), toString(choice.scheme), report.changedValues,
      report.values, report.changedTensors, report.tensors);
  constexpr const char *kStart =
      "start from the checkpoint as it was before it was packed";
  if (grids.size() > 1) {
    std::vector<std::string> texts;
    for (const Scheme &grid : grids)
      texts.push_back(toString(grid));
    return fmt::format("{}; its own grids are {}: {}", line,
                       fmt::join(texts, ", "), kStart);
  }
  const Scheme &own = grids.front();
  if (own == choice.scheme)
    return fmt::format("{}; its scales were chosen by another rule: {}", line,
                       kStart);
  NIBBLE_ASSIGN(RoundingReport there, roundTo(own, checkpoint, choice));
  if (there.changedValues == 0)
    return fmt::format("{}; {} keeps them all", line, settingsFor(own, choice));
  return fmt::format("{}; its own grid {} would change {}, for its scales were "
                     "chosen by another rule: {}",
                     line, toString(own), there.changedValues, kStart);
}

} // namespace nibble
