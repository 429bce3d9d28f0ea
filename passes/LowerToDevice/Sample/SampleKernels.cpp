// nn.sample (N16). All sums are of integers, so their order is free, and parts,
// warps and launches are chosen for speed.
//
// Rows are divided into parts of 8192 logits, so that a few long rows fill the
// machine as well as many. The launches compute:
// - the largest logit of each part;
// - the mass of each part;
// - for rows with filters the pivot, behind which nothing is kept, and the
//   masses of the kept tokens;
// - for each row, in one block, the part in which the threshold is passed, and
//   the token in it.
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Sample/SamplePivot.h"

#include "lib/Numerics/sampling.h"

using namespace mlir;

namespace nibble::device {

namespace {

constexpr int64_t kWarps = kThreads / 32;
constexpr int64_t kPerThread = 32;
constexpr int64_t kColumns = kThreads * kPerThread;
constexpr int64_t kMostParts =
    numerics::kMostTokens / kColumns; // two for each lane of a warp
static_assert(kMostParts == 64);

// The buffers of a call, and the facts of its rows that are known at compile
// time.
struct SampleLaunches {
  Kernel &k;
  Value logits, temperature, bits, filtered, topK, topP, minP, token, logKept,
      status;
  int64_t vocabulary, width, parts;
  Value rows, filters; // index values on the host
  Value maxima, masses, kept, pivots,
      leasts; // scratch: [rows, parts] f32, i64, i64; [rows] i64, i64

  SampleLaunches(Kernel &k, nn::SampleOp::Adaptor op)
      : k(k), logits(op.getLogits()), temperature(op.getTemperature()),
        bits(op.getBits()), filtered(op.getFiltered()), topK(op.getTopK()),
        topP(op.getTopP()), minP(op.getMinP()), token(k.result(0)),
        logKept(k.result(1)), status(k.result(2)),
        vocabulary(columnsOf(logits)),
        width(accessWidth(vocabulary, k.host.getF32Type())),
        parts((vocabulary + kColumns - 1) / kColumns),
        rows(k.extent(logits, 0)), filters(k.extent(filtered, 0)) {
    Type f32 = k.host.getF32Type();
    Type i64 = k.host.getI64Type();
    maxima = k.scratch({ShapedType::kDynamic, parts}, {rows}, f32);
    masses = k.scratch({ShapedType::kDynamic, parts}, {rows}, i64);
    kept = k.scratch({ShapedType::kDynamic, parts}, {rows}, i64);
    pivots = k.scratch({ShapedType::kDynamic}, {rows}, i64);
    leasts = k.scratch({ShapedType::kDynamic}, {rows}, i64);
  }

  LaunchSpec spec(StringRef name, Value blocks,
                  ArrayRef<Value> arguments) const {
    LaunchSpec spec;
    spec.key = name.str() + "_" + std::to_string(vocabulary);
    spec.threads = kThreads;
    spec.sharedBytes = kWarps * 8;
    spec.grid = {blocks};
    spec.arguments.assign(arguments.begin(), arguments.end());
    // Rows without a draw, the filters and the token decide what is read. Only
    // the first launch reads all logits.
    if (name != "sample_maxima")
      spec.partly.assign(arguments.begin(), arguments.end());
    return spec;
  }
  Value blocksOf(Value rows) const { return k.mul(rows, k.index(parts)); }
  SampleRows shape() const { return {vocabulary, width, parts}; }

  void launchMaxima() const;
  void launchMasses() const;
  void launchKept() const;
  void launchChoose() const;
};

int64_t accessesOf(const SampleRows &shape) {
  return kPerThread / shape.width;
} // of a thread to its part

// The column of the thread's access number `i` in a part. It is completely
// inside or completely beyond the vocabulary. The lanes of a warp have
// neighbouring columns.
Value columnOf(Emitter &b, Value part, Value i, int64_t width) {
  return b.addI(b.mulI(part, kColumns),
                b.mulI(b.addI(b.thread(), b.mulI(i, kThreads)), width));
}

// The logits at a column, or -infinity beyond the vocabulary.
Value loadOrNothing(Emitter &b, const SampleRows &shape, Value logits,
                    Value row, Value column) {
  return b.ifValue(
      b.less(column, shape.vocabulary),
      [&] {
        return loadFloats(b, logits, b.getF32Type(),
                          b.place(row, shape.vocabulary, column), shape.width);
      },
      [&] { return b.splat(b.f32(-INFINITY), shape.width); });
}

// Sum of weight(x, token), an i64, over the logits of one access.
using Weight = llvm::function_ref<Value(Value x, Value token)>;
Value weightOf(Emitter &b, const SampleRows &shape, Value column, Value vector,
               Weight weight) {
  Value sum = b.i64(0);
  for (int64_t i = 0; i < shape.width; ++i)
    sum = b.addI(sum, weight(b.extract(vector, i), b.addI(column, i)));
  return sum;
}

// The sum over a thread's share of a part. It is a loop, because the unrolled
// polynomials would not fit into the instruction cache.
Value weightOfPart(Emitter &b, const SampleRows &shape, Value logits, Value row,
                   Value part, Weight weight) {
  return b.loop(
      b.i32(0), b.i32(accessesOf(shape)), b.i32(1), {b.i64(0)},
      [&](Value i, ValueRange sums) -> SmallVector<Value> {
        Value column = columnOf(b, part, i, shape.width);
        Value vector = loadOrNothing(b, shape, logits, row, column);
        return {b.addI(sums[0], weightOf(b, shape, column, vector, weight))};
      })[0];
}

// The largest logit of a part; NaN when one logit is NaN or +infinity.
void SampleLaunches::launchMaxima() const {
  SampleRows shape = this->shape();
  k.launch(spec("sample_maxima", blocksOf(rows), {logits, maxima}),
           [&](Emitter &b, ValueRange arguments) {
             Value row = b.divI(b.block(), shape.parts);
             Value part = b.remI(b.block(), shape.parts);
             Value largest = b.f32(-INFINITY);
             Value bad = b.boolean(false);
             Value shared = b.sharedMemory(0);
             SmallVector<Value> loaded; // all in flight at once
             for (int64_t i = 0; i < accessesOf(shape); ++i)
               loaded.push_back(
                   loadOrNothing(b, shape, arguments[0], row,
                                 columnOf(b, part, b.i32(i), shape.width)));
             for (Value vector : loaded)
               for (int64_t i = 0; i < shape.width; ++i) {
                 Value x = b.extract(vector, i);
                 largest = b.max(largest, x);
                 bad = b.either(bad, isBad(b, x));
               }
             largest = b.blockMax(largest, shared, kThreads);
             Value anyBad =
                 b.greater(b.blockMax(b.select(bad, b.f32(1), b.f32(0)), shared,
                                      kThreads),
                           b.f32(0));
             b.ifThen(b.equal(b.thread(), 0), [&] {
               b.store(b.select(anyBad, b.f32(NAN), largest),
                       b.at(arguments[1], b.getF32Type(), b.block()));
             });
           });
}

// Masses of a part's tokens, all of which count as kept until a filter runs. In
// a row without a draw, a part with the requested token counts as 1.
void SampleLaunches::launchMasses() const {
  SampleRows shape = this->shape();
  k.launch(spec("sample_masses", blocksOf(rows),
                {logits, temperature, maxima, masses, kept, pivots, leasts}),
           [&](Emitter &b, ValueRange arguments) {
             Type i64 = b.getI64Type();
             Value row = b.divI(b.block(), shape.parts);
             Value part = b.remI(b.block(), shape.parts);
             RowState state(b, shape, arguments[2], arguments[1], row);
             Value sum = b.ifValue(
                 state.drawn,
                 [&] {
                   return weightOfPart(
                       b, shape, arguments[0], row, part,
                       [&](Value x, Value) { return state.mass(b, x); });
                 },
                 [&] { return b.i64(0); });
             sum = blockSumI64(b, sum, b.sharedMemory(0), kThreads);
             b.ifThen(b.equal(b.thread(), 0), [&] {
               Value own = b.load(b.at(arguments[2], b.getF32Type(), b.block()),
                                  b.getF32Type());
               Value holds = b.wide(b.select(state.bad, isBad(b, own),
                                             isEqual(b, own, state.largest)));
               b.store(sum, b.at(arguments[3], i64, b.block()));
               b.store(b.select(state.drawn, sum, holds),
                       b.at(arguments[4], i64, b.block()));
               b.ifThen(b.equal(part, 0), [&] {
                 b.store(b.i64(-1), b.at(arguments[5], i64, row));
                 b.store(b.i64(0), b.at(arguments[6], i64, row));
               });
             });
           });
}

// Masses of the tokens that the filters keep, with a block for each part of
// each row with filters.
void SampleLaunches::launchKept() const {
  SampleRows shape = this->shape();
  k.launch(
      spec("sample_kept", blocksOf(filters),
           {logits, temperature, filtered, maxima, pivots, leasts, kept}),
      [&](Emitter &b, ValueRange arguments) {
        Type i64 = b.getI64Type();
        Value filter = b.divI(b.block(), shape.parts);
        Value part = b.remI(b.block(), shape.parts);
        Value row =
            b.load(b.at(arguments[2], b.getI32Type(), filter), b.getI32Type());
        RowState state(b, shape, arguments[3], arguments[1], row);
        b.ifThen(state.drawn, [&] {
          Value pivot = b.load(b.at(arguments[4], i64, row), i64);
          Value least = b.load(b.at(arguments[5], i64, row), i64);
          Value sum = weightOfPart(
              b, shape, arguments[0], row, part, [&](Value x, Value token) {
                return state.keptMass(b, x, token, pivot, least);
              });
          sum = blockSumI64(b, sum, b.sharedMemory(0), kThreads);
          b.ifThen(b.equal(b.thread(), 0), [&] {
            b.store(sum,
                    b.at(arguments[6], i64, b.place(row, shape.parts, part)));
          });
        });
      });
}

// Each row has a block. All warps read the row's part and store the sums of 32
// neighbouring accesses. The first warp finds the sum in which the threshold is
// passed, and reads those accesses again.
void SampleLaunches::launchChoose() const {
  SampleRows shape = this->shape();
  int64_t segments = accessesOf(shape) * kWarps;
  LaunchSpec choose = spec("sample_choose", rows,
                           {logits, temperature, bits, maxima, masses, kept,
                            pivots, leasts, token, logKept, status});
  choose.sharedBytes = segments * 8;
  k.launch(choose, [&](Emitter &b, ValueRange arguments) {
    Type i64 = b.getI64Type();
    Type i32 = b.getI32Type();
    Type f32 = b.getF32Type();
    Value row = b.block();
    Value shared = b.sharedMemory(0);
    RowState state(b, shape, arguments[3], arguments[1], row);
    Value all = b.i64(0), total = b.i64(0);
    SmallVector<Value> keptOfParts;
    for (int64_t i = 0; i < 2; ++i) {
      Value part = b.addI(b.mulI(b.lane(), 2), i);
      Value place = b.place(row, shape.parts, part);
      auto of = [&](Value table) {
        return b.ifValue(
            b.less(part, shape.parts),
            [&] { return b.load(b.at(table, i64, place), i64); },
            [&] { return b.i64(0); });
      };
      all = b.addI(all, of(arguments[4]));
      keptOfParts.push_back(of(arguments[5]));
      total = b.addI(total, keptOfParts.back());
    }
    all = warpSumI64(b, all);
    total = warpSumI64(b, total);
    Value random = b.load(b.at(arguments[2], i64, row), i64);
    Value threshold =
        b.select(state.drawn, mulHigh(b, random, total), b.i64(0));
    Passed part = whereSumPasses(b, keptOfParts, threshold);
    threshold = b.subI(threshold, part.before);
    Value pivot = b.load(b.at(arguments[6], i64, row), i64);
    Value least = b.load(b.at(arguments[7], i64, row), i64);
    // The mass in the draw, or 1 for the requested token of a row without a
    // draw.
    auto weight = [&](Value x, Value token) {
      Value mass = b.ifValue(
          state.drawn,
          [&] { return state.keptMass(b, x, token, pivot, least); },
          [&] {
            return b.wide(
                b.select(state.bad, isBad(b, x), isEqual(b, x, state.largest)));
          });
      return b.select(b.less(token, shape.vocabulary), mass, b.i64(0));
    };
    b.loop(b.i32(0), b.i32(accessesOf(shape)), 1, [&](Value i) {
      Value column = columnOf(b, part.index, i, shape.width);
      Value vector = loadOrNothing(b, shape, arguments[0], row, column);
      Value sum = warpSumI64(b, weightOf(b, shape, column, vector, weight));
      b.ifThen(b.equal(b.lane(), 0), [&] {
        b.store(sum, b.at(shared, i64, b.addI(b.warp(), b.mulI(i, kWarps))));
      });
    });
    b.barrier();
    b.ifThen(b.equal(b.warp(), 0), [&] {
      SmallVector<Value> ofSegments, ofTokens;
      for (int64_t i = 0; i < segments / 32; ++i)
        ofSegments.push_back(b.load(
            b.at(shared, i64, b.addI(b.mulI(b.lane(), segments / 32), i)),
            i64));
      Passed segment = whereSumPasses(b, ofSegments, threshold);
      Value first = b.addI(b.mulI(part.index, kColumns),
                           b.mulI(segment.index, 32 * shape.width));
      for (int64_t i = 0; i < shape.width; ++i) {
        Value token = b.addI(b.addI(first, b.mulI(b.lane(), shape.width)), i);
        Value inside = b.minI(token, b.i32(shape.vocabulary - 1));
        Value x = b.load(
            b.at(arguments[0], f32, b.place(row, shape.vocabulary, inside)),
            f32);
        ofTokens.push_back(weight(x, token));
      }
      Passed place =
          whereSumPasses(b, ofTokens, b.subI(threshold, segment.before));
      Value token = b.addI(first, place.index);
      b.ifThen(b.equal(b.lane(), 0), [&] {
        Value x = b.load(
            b.at(arguments[0], f32, b.place(row, shape.vocabulary, token)),
            f32);
        auto kind = [&](numerics::BadRow kind) {
          return b.i32(static_cast<int64_t>(kind));
        };
        Value badKind =
            b.select(isEqual(b, x, x), kind(numerics::BadRow::kInfinite),
                     kind(numerics::BadRow::kNaN));
        Value ofBad = b.addI(b.mulI(token, numerics::kBadRowKinds), badKind);
        Value ofOther = b.select(isEqual(b, state.largest, b.f32(-INFINITY)),
                                 kind(numerics::BadRow::kNoneFinite),
                                 kind(numerics::BadRow::kNone));
        Value share = b.ifValue(
            state.drawn, [&] { return logKeptMass(b, total, all); },
            [&] { return b.f32(0); });
        b.store(token, b.at(arguments[8], i32, row));
        b.store(share, b.at(arguments[9], f32, row));
        b.store(b.select(state.bad, ofBad, ofOther),
                b.at(arguments[10], i32, row));
      });
    });
  });
}

LogicalResult emitSample(Kernel &k, nn::SampleOp::Adaptor op) {
  SampleLaunches launches(k, op);
  launches.launchMaxima();
  launches.launchMasses();
  launchPivots(k, op, launches.shape(), launches.maxima, launches.masses,
               launches.pivots, launches.leasts);
  launches.launchKept();
  launches.launchChoose();
  return success();
}

} // namespace

void addSampleKernels(KernelTable &table) {
  table.add<nn::SampleOp>(emitSample);
}

} // namespace nibble::device
