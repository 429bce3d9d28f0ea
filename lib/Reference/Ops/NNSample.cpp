// nn.sample: ranks all tokens, then walks over them.
#include "lib/Reference/Interpreter.h"

#include "dialects/NN/NN.h"
#include "lib/Numerics/sampling.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

struct Filter {
  int64_t topK = 0;
  double topP = 1.0;
  double minP = 0.0;
};

struct Drawn {
  int64_t token = 0;
  float logKeptMass = 0;
  int64_t status = 0;
};

int64_t statusOf(numerics::BadRow kind, int64_t token) {
  return static_cast<int64_t>(kind) + numerics::kBadRowKinds * token;
}

Drawn badRow(ArrayRef<float> logits) {
  for (auto [token, x] : llvm::enumerate(logits))
    if (auto index = static_cast<int64_t>(token);
        std::isnan(x) || x == INFINITY)
      return {index, 0,
              statusOf(std::isnan(x) ? numerics::BadRow::kNaN
                                     : numerics::BadRow::kInfinite,
                       index)};
  return {0, 0, statusOf(numerics::BadRow::kNoneFinite, 0)};
}

// Masses of the tokens that the filter keeps; 0 for the others.
std::vector<uint64_t> kept(ArrayRef<float> logits,
                           const std::vector<uint64_t> &mass,
                           const Filter &filter) {
  std::vector<int64_t> ranking(logits.size());
  std::iota(ranking.begin(), ranking.end(), 0);
  llvm::sort(ranking, [&](int64_t a, int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  if (filter.topK > 0 && filter.topK < static_cast<int64_t>(ranking.size()))
    ranking.resize(filter.topK);
  if (filter.topP < 1.0) {
    uint64_t left = 0, sum = 0;
    for (int64_t token : ranking)
      left += mass[token];
    uint64_t wanted = numerics::wantedMass(filter.topP, left);
    size_t count = 0;
    while (sum < wanted)
      sum += mass[ranking[count++]];
    ranking.resize(count);
  }
  std::vector<uint64_t> result(logits.size(), 0);
  for (int64_t token : ranking)
    if (static_cast<double>(mass[token]) >=
        filter.minP * numerics::kLargestMass)
      result[token] = mass[token];
  return result;
}

Drawn draw(ArrayRef<float> logits, float temperature, uint64_t bits,
           const Filter *filter) {
  auto isBad = [](float x) { return std::isnan(x) || x == INFINITY; };
  float largest =
      llvm::any_of(logits, isBad) ? INFINITY : *llvm::max_element(logits);
  if (!std::isfinite(largest))
    return badRow(logits);
  if (temperature == 0.0f)
    return {llvm::find(logits, largest) - logits.begin(), 0, 0};
  std::vector<uint64_t> mass;
  for (float x : logits)
    mass.push_back(
        numerics::massOf(x, largest, temperature, largest / temperature));
  std::vector<uint64_t> weights = filter ? kept(logits, mass, *filter) : mass;
  uint64_t all = std::accumulate(mass.begin(), mass.end(), uint64_t{0});
  uint64_t total = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
  uint64_t sum = 0;
  auto threshold =
      static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * total >> 64);
  int64_t token = 0;
  while ((sum += weights[token]) <= threshold)
    ++token;
  return {token, numerics::logKeptMass(total, all), 0};
}

LogicalResult sample(nn::SampleOp op, Call &call) {
  const ReferenceValue &logits = call[op.getLogits()];
  const ReferenceValue &temperature = call[op.getTemperature()];
  const ReferenceValue &bits = call[op.getBits()];
  const ReferenceValue &filtered = call[op.getFiltered()];
  const ReferenceValue &topK = call[op.getTopK()];
  const ReferenceValue &topP = call[op.getTopP()];
  const ReferenceValue &minP = call[op.getMinP()];
  int64_t rows = logits.extent(0);
  int64_t vocabulary = logits.extent(1);
  int64_t filters = filtered.count();
  if (failed(call.expectShape(op.getTemperature(), {rows})) ||
      failed(call.expectShape(op.getBits(), {rows})) ||
      failed(call.expectShape(op.getTopK(), {filters})) ||
      failed(call.expectShape(op.getTopP(), {filters})) ||
      failed(call.expectShape(op.getMinP(), {filters})) ||
      failed(call.expectInRange(op.getFiltered(), rows)))
    return failure();
  std::vector<std::optional<Filter>> ofRow(rows);
  for (int64_t f = 0; f < filters; ++f) {
    int64_t row = filtered.integers[f];
    if (ofRow[row] || temperature.reals[row] == 0.0)
      return call.error() << "row " << row << " is filtered twice or greedy";
    ofRow[row] = Filter{topK.integers[f], topP.reals[f], minP.reals[f]};
  }
  ReferenceValue *token = call.make(op.getToken(), {rows});
  ReferenceValue *mass = call.make(op.getLogKeptMass(), {rows});
  ReferenceValue *status = call.make(op.getStatus(), {rows});
  if (!token || !mass || !status)
    return failure();
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<float> row(logits.reals.begin() + r * vocabulary,
                           logits.reals.begin() + (r + 1) * vocabulary);
    Drawn drawn = draw(row, static_cast<float>(temperature.reals[r]),
                       static_cast<uint64_t>(bits.integers[r]),
                       ofRow[r] ? &*ofRow[r] : nullptr);
    token->integers[r] = drawn.token;
    mass->reals[r] = drawn.logKeptMass;
    status->integers[r] = drawn.status;
  }
  return success();
}

} // namespace

void reference::addSampleKernels(KernelTable &table) { table.add<&sample>(); }
