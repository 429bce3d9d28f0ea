// nn.attention over the keys of the batch, and its gradient.
#include "lib/Reference/Sequences.h"

#include "dialects/NN/NN.h"

#include <cmath>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// The facts of the batch that both ops need.
struct Batch {
  int64_t heads, kvHeads, D, window;
  double scale;
  std::vector<int64_t> begins;    // of each sequence, in tokens
  std::vector<int64_t> positions; // of each token, in its sequence
  std::vector<int64_t> sequenceOf;

  // Token t sees the tokens of its sequence up to itself, limited to the last
  // `window` positions.
  int64_t firstKey(int64_t t) const {
    int64_t first = begins[sequenceOf[t]];
    if (window != 0)
      while (first < t && positions[t] - positions[first] >= window)
        ++first;
    return first;
  }
  // Where a head's elements begin in a row of queries, and where those of its
  // keys begin.
  int64_t queryColumn(int64_t head) const { return head * D; }
  int64_t keyColumn(int64_t head) const { return head / (heads / kvHeads) * D; }
};

template <typename Op> FailureOr<Batch> batchOf(Op op, Call &call) {
  int64_t tokens = call[op.getQ()].extent(0);
  int64_t features = call[op.getQ()].extent(1);
  int64_t heads = op.getHeads();
  int64_t kvHeads = op.getKvHeads();
  int64_t D = features / heads;
  auto sequenceOf =
      sequencesOfTokens(call, op.getPositions(), op.getSequences(), tokens);
  if (failed(sequenceOf) ||
      failed(call.expectShape(op.getK(), {tokens, kvHeads * D})) ||
      failed(call.expectShape(op.getV(), {tokens, kvHeads * D})))
    return failure();
  return Batch{heads,
               kvHeads,
               D,
               static_cast<int64_t>(op.getWindow()),
               op.getScale().convertToFloat(),
               call[op.getSequences()].integers,
               call[op.getPositions()].integers,
               std::move(*sequenceOf)};
}

double dot(const ReferenceValue &a, int64_t aRow, int64_t aColumn,
           const ReferenceValue &b, int64_t bRow, int64_t bColumn,
           int64_t length) {
  double sum = 0.0;
  for (int64_t d = 0; d < length; ++d)
    sum += a(aRow, aColumn + d) * b(bRow, bColumn + d);
  return sum;
}

// y = softmax(scale * q kT) v over the keys that the token sees, head by head.
LogicalResult attention(nn::AttentionOp op, Call &call) {
  FailureOr<Batch> batch = batchOf(op, call);
  if (failed(batch))
    return failure();
  const ReferenceValue &q = call[op.getQ()];
  const ReferenceValue &k = call[op.getK()];
  const ReferenceValue &v = call[op.getV()];
  int64_t tokens = q.extent(0);
  ReferenceValue *y = call.make(op.getY(), {tokens, q.extent(1)});
  ReferenceValue *lse = call.make(op.getLse(), {tokens, batch->heads});
  if (!y || !lse)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t head = 0; head < batch->heads; ++head) {
      int64_t qc = batch->queryColumn(head);
      int64_t kc = batch->keyColumn(head);
      int64_t first = batch->firstKey(t);
      std::vector<double> scores;
      for (int64_t j = first; j <= t; ++j)
        scores.push_back(dot(q, t, qc, k, j, kc, batch->D) * batch->scale);
      Softmax softmax = softmaxOf(std::move(scores));
      (*lse)(t, head) = call.round(softmax.lse, lse->elementType());
      for (int64_t d = 0; d < batch->D; ++d) {
        double sum = 0.0;
        for (int64_t j = first; j <= t; ++j)
          sum += softmax.probabilities[j - first] * v(j, kc + d);
        (*y)(t, qc + d) = call.round(sum, y->elementType());
      }
    }
  return success();
}

// With probabilities p: dv_j += p_j dy, dp_j = dy.v_j and ds_j = p_j (dp_j -
// sum_i p_i dp_i) * scale, where the sum equals dy.y. Then dq += ds_j k_j and
// dk_j += ds_j q. A key head accumulates over all query heads that read it.
LogicalResult attentionGrad(nn::AttentionGradOp op, Call &call) {
  FailureOr<Batch> batch = batchOf(op, call);
  if (failed(batch))
    return failure();
  const ReferenceValue &q = call[op.getQ()];
  const ReferenceValue &k = call[op.getK()];
  const ReferenceValue &v = call[op.getV()];
  const ReferenceValue &y = call[op.getY()];
  const ReferenceValue &dy = call[op.getDy()];
  const ReferenceValue &lse = call[op.getLse()];
  int64_t tokens = q.extent(0);
  int64_t D = batch->D;
  if (failed(call.expectShape(op.getDy(), q.shape)) ||
      failed(call.expectShape(op.getY(), q.shape)) ||
      failed(call.expectShape(op.getLse(), {tokens, batch->heads})))
    return failure();
  SmallVector<int64_t> queryShape = q.shape;
  SmallVector<int64_t> keyShape = k.shape;
  ReferenceValue *dq = call.make(op.getDq(), queryShape);
  ReferenceValue *dk = call.make(op.getDk(), keyShape);
  ReferenceValue *dv = call.make(op.getDv(), keyShape);
  if (!dq || !dk || !dv)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t head = 0; head < batch->heads; ++head) {
      int64_t qc = batch->queryColumn(head);
      int64_t kc = batch->keyColumn(head);
      double mean = dot(dy, t, qc, y, t, qc, D);
      for (int64_t j = batch->firstKey(t); j <= t; ++j) {
        double p =
            std::exp(dot(q, t, qc, k, j, kc, D) * batch->scale - lse(t, head));
        double ds = p * (dot(dy, t, qc, v, j, kc, D) - mean) * batch->scale;
        for (int64_t d = 0; d < D; ++d) {
          (*dq)(t, qc + d) += ds * k(j, kc + d);
          (*dk)(j, kc + d) += ds * q(t, qc + d);
          (*dv)(j, kc + d) += p * dy(t, qc + d);
        }
      }
    }
  for (ReferenceValue *gradient : {dq, dk, dv})
    for (double &element : gradient->reals)
      element = call.round(element, gradient->elementType());
  return success();
}

} // namespace

void reference::addAttentionKernels(KernelTable &table) {
  table.add<&attention>();
  table.add<&attentionGrad>();
}
