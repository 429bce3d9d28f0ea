// Stages, shared memory and splits of matrix kernels.
#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"
#include "passes/LowerToHopper/Linear/ClusterExchange.h"
#include "passes/LowerToHopper/Linear/MatrixKernel.h"

namespace nibble::hopper {

static int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

int64_t MatrixSpec::scaleBytes() const {
  return numerics::kSlabRows * scalesPerSlabRow *
         numerics::bytesOf(scheme.row().scaleType);
}

int64_t MatrixSpec::codeBytes() const {
  return numerics::kSlabBytes * stageDepth() / numerics::kSlabColumns;
}

// With 256 columns, sums and totals exceed the registers. Fragments of packed
// weights take some more.
int64_t MatrixSpec::totalsInShared() const {
  if (tile <= 128 || splits == 1 || result == Result::kAccumulate)
    return 0;
  return a == Operand::kPacked ? 76 : 64;
}

int64_t MatrixSpec::aBytes() const {
  if (a == Operand::kPacked)
    return roundUp(2 * (codeBytes() + scaleBytes()), 1024);
  return kBlockRows * stageDepth() * 2;
}

// 64 KB of weights in flight cover the memory's latency; more stages do not
// help. A power of two makes a stage's number and phase a mask and a shift,
// which matters when a stage has few instructions.
int64_t MatrixSpec::stages() const {
  int64_t others = exchangedBytes() + totalsInShared() * 4 * consumers() + 2048;
  int64_t fit = (kArchitecture.sharedBytesOfBlock / blocksPerSM() - others) /
                (stageBytes() + 16);
  int64_t wanted = givenStages > 0
                       ? std::min(givenStages, fit)
                       : std::clamp<int64_t>(fit, 2,
                                             byWarps()               ? 8
                                             : a == Operand::kPacked ? 10
                                                                     : 6);
  // A stage belongs to one stream: a warp waits for its barriers by parity, so
  // it must see each of their phases.
  return std::max<int64_t>(wanted / streams(), 1) * streams();
}

int64_t MatrixSpec::flagsAt() const {
  return ringBytes() + (sideBySide()
                            ? ClusterExchange::sharedBytes(exchangedBytes())
                            : totalsInShared() * 4 * consumers());
}

int64_t MatrixSpec::sharedBytes() const {
  int64_t staging = 0; // in place of the ring
  if (result == Result::kTokens && !sideBySide()) {
    int64_t bytes = element.getIntOrFloatBitWidth() / 8;
    staging = tile * (kBlockRows + 16 / bytes) * bytes;
  }
  return std::max(flagsAt() + (choosesDecode() ? consumers() / 8 : 0), staging);
}

int64_t sharersOf(int64_t m, int64_t tile) {
  return tile >= 128 && m > kBlockRows ? 2 : 1;
}

int64_t splitsOf(int64_t m, int64_t k, int64_t sms) {
  int64_t blocks = (m + kBlockRows - 1) / kBlockRows;
  int64_t best = 1;
  int64_t least = INT64_MAX;
  for (int64_t splits = 1; splits <= 8 && (splits == 1 || k / splits >= 512);
       splits *= 2) {
    // A block has two splits. Clusters of four leave SMs idle (an H200 has no
    // room for 33 of them), so only weights with few rows use them.
    int64_t parts = splits == 1 ? 1 : splits / 2;
    if (parts == 4 && blocks * parts > sms)
      break;
    // The cost in percent of a row of blocks: the reads of the busiest SM, plus
    // 3 for the end of each split. With a single split the reads count half as
    // much again, because schedulers idle.
    int64_t cost = 100 * ((blocks * parts + sms - 1) / sms) / parts *
                       (splits == 1 ? 3 : 2) / 2 +
                   3 * splits;
    if (cost < least) {
      least = cost;
      best = splits;
    }
  }
  return best;
}

std::string MatrixSpec::key() const {
  auto nameOf = [](Operand operand) {
    return operand == Operand::kRows         ? "rows"
           : operand == Operand::kTransposed ? "transposed"
                                             : "packed";
  };
  std::string key = std::string("matrix_") + nameOf(a) + "_" + nameOf(b) + "_" +
                    std::to_string(tile);
  if (a == Operand::kPacked)
    key += "_s" + std::to_string(scalesPerSlabRow) + nibbleSuffix(scheme);
  if (sharers > 1)
    key += "_shared" + std::to_string(sharers);
  if (result == Result::kAccumulate)
    return key + "_accumulate";
  if (givenStages > 0)
    key += "_stages" + std::to_string(givenStages);
  if (early)
    key += "_early";
  if (beside)
    key += "_beside";
  if (splits > 1)
    key += "_splits" + std::to_string(splits);
  if (swiglu)
    key += "_swiglu";
  return key + "_" + textOf(element) + (bias ? "_bias" : "") +
         (residual ? "_residual" : "") + (wholeRows ? "" : "_ragged");
}

} // namespace nibble::hopper
