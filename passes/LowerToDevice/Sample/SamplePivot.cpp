// The pivot of top_k and top_p by radix search, without a sort. Each row with
// filters has a block.
//
// First the tokens are counted and weighed in 2048 buckets by their distance to
// the largest logit, in steps of 1/64 of a natural logarithm. A model's logits
// spread over hundreds of buckets, so few threads collide. The search finds the
// bucket where the requested count or mass is reached. Then it refines by the
// rank's own bits, eleven at a time, among the tokens of that bucket and
// prefix. If these are few, they are listed first. Counters are integers, so
// the order of threads does not matter.
#include "passes/LowerToDevice/Sample/SamplePivot.h"

#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

#include "lib/Numerics/sampling.h"

using namespace mlir;

namespace nibble::device {

Value isBad(Emitter &b, Value x) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, x,
                               b.f32(INFINITY));
}
Value isEqual(Emitter &b, Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
}

RowState::RowState(Emitter &b, const SampleRows &shape, Value maxima,
                   Value temperatures, Value row) {
  Type f32 = b.getF32Type();
  SmallVector<Value> found = b.loop(
      b.lane(), b.i32(shape.parts), b.i32(32), {b.f32(-INFINITY), b.f32(0)},
      [&](Value part, ValueRange found) -> SmallVector<Value> {
        Value own =
            b.load(b.at(maxima, f32, b.place(row, shape.parts, part)), f32);
        return {b.max(found[0], own),
                b.select(isBad(b, own), b.f32(1), found[1])};
      });
  largest = b.warpMax(found[0]);
  bad = b.greater(b.warpMax(found[1]), b.f32(0));
  temperature = b.load(b.at(temperatures, f32, row), f32);
  Value isFinite = b.greater(largest, b.f32(-INFINITY));
  drawn = b.both(b.both(isFinite, b.greater(temperature, b.f32(0))),
                 b.xorI(bad, b.boolean(true)));
}

Value RowState::keptMass(Emitter &b, Value logit, Value token, Value pivot,
                         Value least) const {
  Value mass = this->mass(b, logit);
  Value isKept = b.both(b.lessEqual(tokenRank(b, logit, token), pivot),
                        b.lessEqual(least, mass));
  return b.select(isKept, mass, b.i64(0));
}

namespace {

constexpr int64_t kThreads = 1024, kWarps = kThreads / 32;
constexpr int64_t kBins = 2 * kThreads, kDigitBits = 11;
static_assert(kBins == int64_t{1} << kDigitBits);
constexpr double kBucketsOfUnit = 64;
constexpr int64_t kDigits = (numerics::kRankBits + kDigitBits - 1) / kDigitBits;

// Shared memory holds two histograms: all tokens by bucket, and some tokens by
// a digit. It also holds the ranks and then the masses of a bucket's tokens,
// sums of warps, the results, and the number of listed tokens.
constexpr int64_t kListed = 2048;
constexpr int64_t kHistogramBytes = kBins * (4 + 8),
                  kList = 2 * kHistogramBytes, kScan = kList + kListed * 16;
constexpr int64_t kFound = kScan + kWarps * 16, kCounter = kFound + 5 * 8,
                  kSharedBytes = kCounter + 8;

struct Histogram {
  Value counts, masses; // shared: kBins of i32, of i64

  Histogram(Emitter &b, int64_t offset)
      : counts(b.sharedMemory(offset + kBins * 8)),
        masses(b.sharedMemory(offset)) {}
  void clear(Emitter &b) const {
    for (int64_t i = 0; i < 2; ++i) {
      Value bin = b.addI(b.thread(), i * kThreads);
      b.store(b.i32(0), b.at(counts, b.getI32Type(), bin));
      b.store(b.i64(0), b.at(masses, b.getI64Type(), bin));
    }
  }
  void add(Emitter &b, Value bin, Value mass) const {
    auto to = [&](Value table, Value value) {
      LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add,
                                b.at(table, value.getType(), bin), value,
                                LLVM::AtomicOrdering::monotonic, "block");
    };
    to(counts, b.i32(1));
    to(masses, mass);
  }
};

// The sums before a bin and in it, as i64.
struct Bin {
  Value index, count, mass, ownCount, ownMass;
};

class PivotSearch {
public:
  PivotSearch(Emitter &b, const SampleRows &shape, Value logits, Value row,
              const RowState &state)
      : b(b), shape(shape), logits(logits), row(row), state(state),
        buckets(b, 0), digits(b, kHistogramBytes),
        scale(b.div(b.f32(kBucketsOfUnit), state.temperature)) {}

  void fillBuckets() {
    buckets.clear(b);
    b.barrier();
    forTokens(
        [&](Value, Value x) { buckets.add(b, bucketOf(x), state.mass(b, x)); });
    b.barrier();
  }

  // The first rank at which the count (or mass) of the tokens up to and
  // including it reaches `target`, and their mass. The target must be reached.
  std::pair<Value, Value> descend(Value target, bool byMass) {
    Bin bucket = find(buckets, target, byMass);
    Value digitBits = b.i64(kDigitBits);
    Bucket tokens = list(bucket);
    SmallVector<Value> end = b.loop(
        b.i32(0), b.i32(kDigits), b.i32(1),
        {b.i64(0), b.i64(numerics::kRankBits), bucket.count, bucket.mass,
         b.i64(0)},
        [&](Value, ValueRange carried) -> SmallVector<Value> {
          Value prefix = carried[0], high = carried[1],
                bits = b.minI(high, digitBits), low = b.subI(high, bits);
          digits.clear(b);
          b.barrier();
          forBucket(tokens, [&](Value rank, llvm::function_ref<Value()> mass) {
            b.ifThen(b.equal(b.shrI(rank, high), prefix), [&] {
              Value digit = b.subI(b.shrI(rank, low), b.shlI(prefix, bits));
              digits.add(b, b.narrow(digit), mass());
            });
          });
          b.barrier();
          Bin found =
              find(digits, b.subI(target, carried[byMass ? 3 : 2]), byMass);
          return {b.addI(b.shlI(prefix, bits), found.index), low,
                  b.addI(carried[2], found.count),
                  b.addI(carried[3], found.mass), found.ownMass};
        });
    return {end[0], b.addI(end[3], end[4])};
  }

private:
  // Monotone in the logit, in spite of rounding and overflow.
  Value bucketOf(Value x) {
    Value distance =
        b.min(b.mul(b.sub(state.largest, x), scale), b.f32(kBins - 1));
    return arith::FPToUIOp::create(b, b.getI32Type(), distance);
  }

  void forTokens(llvm::function_ref<void(Value token, Value x)> body) {
    b.loop(b.mulI(b.thread(), shape.width), b.i32(shape.vocabulary),
           b.i32(kThreads * shape.width), [&](Value column) {
             Value vector = loadFloats(b, logits, b.getF32Type(),
                                       b.place(row, shape.vocabulary, column),
                                       shape.width);
             for (int64_t i = 0; i < shape.width; ++i)
               body(b.addI(column, i), b.extract(vector, i));
           });
  }

  // The tokens of a bucket. They are listed if they fit, which they do unless
  // many logits are alike.
  struct Bucket {
    Value index, count, isListed;
  };

  Value inList(int64_t table, Value place) {
    return b.at(b.sharedMemory(kList + table * kListed * 8), b.getI64Type(),
                place);
  }

  Bucket list(const Bin &bin) {
    Bucket bucket{b.narrow(bin.index), b.narrow(bin.ownCount),
                  b.lessEqual(bin.ownCount, b.i64(kListed))};
    b.ifThen(bucket.isListed, [&] {
      Value counter = b.sharedMemory(kCounter), one = b.i32(1);
      b.ifThen(b.equal(b.thread(), 0), [&] { b.store(b.i32(0), counter); });
      b.barrier();
      forTokens([&](Value token, Value x) {
        b.ifThen(b.equal(bucketOf(x), bucket.index), [&] {
          Value place = LLVM::AtomicRMWOp::create(
              b, LLVM::AtomicBinOp::add, counter, one,
              LLVM::AtomicOrdering::monotonic, "block");
          b.store(tokenRank(b, x, token), inList(0, place));
          b.store(state.mass(b, x), inList(1, place));
        });
      });
      b.barrier();
    });
    return bucket;
  }

  void forBucket(
      const Bucket &bucket,
      llvm::function_ref<void(Value rank, llvm::function_ref<Value()> mass)>
          body) {
    b.ifThenElse(
        bucket.isListed,
        [&] {
          b.loop(b.thread(), bucket.count, kThreads, [&](Value place) {
            body(b.load(inList(0, place), b.getI64Type()),
                 [&] { return b.load(inList(1, place), b.getI64Type()); });
          });
        },
        [&] {
          forTokens([&](Value token, Value x) {
            b.ifThen(b.equal(bucketOf(x), bucket.index), [&] {
              body(tokenRank(b, x, token), [&] { return state.mass(b, x); });
            });
          });
        });
  }

  // The first bin at which the sum reaches `target` > 0. A thread has two
  // neighbouring bins.
  Bin find(const Histogram &histogram, Value target, bool byMass) {
    Type i64 = b.getI64Type(), i32 = b.getI32Type();
    Value lane = b.lane(), first = b.mulI(b.thread(), 2);
    Value counts[2], masses[2];
    for (int64_t i = 0; i < 2; ++i) {
      counts[i] =
          b.wide(b.load(b.at(histogram.counts, i32, b.addI(first, i)), i32));
      masses[i] = b.load(b.at(histogram.masses, i64, b.addI(first, i)), i64);
    }
    Value count = b.addI(counts[0], counts[1]),
          mass = b.addI(masses[0], masses[1]);
    Value countsTo = warpScanI64(b, count), massesTo = warpScanI64(b, mass),
          scan = b.sharedMemory(kScan);
    b.ifThen(b.equal(lane, 31), [&] {
      b.store(countsTo, b.at(scan, i64, b.warp()));
      b.store(massesTo, b.at(scan, i64, b.addI(b.warp(), kWarps)));
    });
    b.barrier();
    auto ofWarpsBefore = [&](int64_t table) {
      Value own = b.load(b.at(scan, i64, b.addI(lane, table)), i64);
      return warpSumI64(b, b.select(b.less(lane, b.warp()), own, b.i64(0)));
    };
    Value countBefore = b.subI(b.addI(countsTo, ofWarpsBefore(0)), count);
    Value massBefore = b.subI(b.addI(massesTo, ofWarpsBefore(kWarps)), mass);
    Value before = byMass ? massBefore : countBefore,
          own = byMass ? mass : count;
    Value found = b.sharedMemory(kFound);
    b.ifThen(b.both(b.less(before, target),
                    b.lessEqual(target, b.addI(before, own))),
             [&] {
               Value isFirst = b.lessEqual(
                   target, b.addI(before, byMass ? masses[0] : counts[0]));
               auto put = [&](int64_t place, Value ofFirst, Value ofSecond) {
                 b.store(b.select(isFirst, ofFirst, ofSecond),
                         b.at(found, i64, b.i32(place)));
               };
               put(0, b.wide(first), b.wide(b.addI(first, 1)));
               put(1, countBefore, b.addI(countBefore, counts[0]));
               put(2, massBefore, b.addI(massBefore, masses[0]));
               put(3, counts[0], counts[1]);
               put(4, masses[0], masses[1]);
             });
    b.barrier();
    auto get = [&](int64_t place) {
      return b.load(b.at(found, i64, b.i32(place)), i64);
    };
    return {get(0), get(1), get(2), get(3), get(4)};
  }

  Emitter &b;
  const SampleRows &shape;
  Value logits, row;
  const RowState &state;
  Histogram buckets, digits;
  Value scale;
};

} // namespace

void launchPivots(Kernel &k, nn::SampleOp::Adaptor op, const SampleRows &shape,
                  Value maxima, Value masses, Value pivots, Value leasts) {
  LaunchSpec spec;
  spec.key = "sample_pivot_" + std::to_string(shape.vocabulary);
  spec.threads = kThreads;
  spec.sharedBytes = kSharedBytes;
  spec.grid = {k.extent(op.getFiltered(), 0)};
  spec.arguments = {op.getLogits(),   op.getTemperature(),
                    op.getFiltered(), op.getTopK(),
                    op.getTopP(),     op.getMinP(),
                    maxima,           masses,
                    pivots,           leasts};
  spec.partly = spec.arguments; // depends on what the rows draw from
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type i64 = b.getI64Type(), i32 = b.getI32Type(), f64 = b.getF64Type();
    Value row = b.load(b.at(arguments[2], i32, b.block()), i32);
    RowState state(b, shape, arguments[6], arguments[1], row);
    b.ifThen(state.drawn, [&] {
      Value topK = b.load(b.at(arguments[3], i32, b.block()), i32);
      Value topP = b.load(b.at(arguments[4], f64, b.block()), f64);
      Value minP = b.load(b.at(arguments[5], f64, b.block()), f64);
      // topK - 1 of 0 is a large number.
      Value isFewer = b.less(b.subI(topK, 1), shape.vocabulary - 1);
      Value one = arith::ConstantOp::create(b, b.getF64FloatAttr(1.0)),
            isLess = b.greater(one, topP);
      b.ifThen(b.either(isFewer, isLess), [&] {
        PivotSearch search(b, shape, arguments[0], row, state);
        search.fillBuckets();
        // A branch here yields one value only, so one thread passes the pivot
        // through memory.
        Value pivotOfRow = b.at(arguments[8], i64, row),
              isFirst = b.equal(b.thread(), 0);
        Value left = b.ifValue(
            isFewer,
            [&] {
              auto [pivot, mass] =
                  search.descend(b.wide(topK), /*byMass=*/false);
              b.ifThen(isFirst,
                       [&, pivot = pivot] { b.store(pivot, pivotOfRow); });
              return mass;
            },
            [&] {
              Value mine = b.loop(
                  b.lane(), b.i32(shape.parts), b.i32(32), {b.i64(0)},
                  [&](Value part, ValueRange sums) -> SmallVector<Value> {
                    Value place = b.place(row, shape.parts, part);
                    return {b.addI(
                        sums[0], b.load(b.at(arguments[7], i64, place), i64))};
                  })[0];
              return warpSumI64(b, mine);
            });
        b.ifThen(isLess, [&] {
          Value pivot =
              search.descend(wantedMass(b, topP, left), /*byMass=*/true).first;
          b.ifThen(isFirst, [&] { b.store(pivot, pivotOfRow); });
        });
      });
      b.ifThen(b.equal(b.thread(), 0), [&] {
        b.store(leastMass(b, minP), b.at(arguments[9], i64, row));
      });
    });
  });
}

} // namespace nibble::device
