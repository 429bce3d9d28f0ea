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

constexpr int64_t kPivotThreads = 1024;
constexpr int64_t kWarps = kPivotThreads / 32;
constexpr int64_t kBins = 2 * kPivotThreads;
constexpr int64_t kDigitBits = 11;
static_assert(kBins == int64_t{1} << kDigitBits);
constexpr double kBucketsOfUnit = 64;
constexpr int64_t kDigits = (numerics::kRankBits + kDigitBits - 1) / kDigitBits;

// Shared memory holds two histograms: all tokens by bucket, and some tokens by
// a digit. It also holds the ranks and then the masses of a bucket's tokens,
// sums of warps, the results, and the number of listed tokens.
constexpr int64_t kListed = 2048;
constexpr int64_t kHistogramBytes = kBins * (4 + 8);
constexpr int64_t kList = 2 * kHistogramBytes;
constexpr int64_t kScan = kList + kListed * 16;
constexpr int64_t kFound = kScan + kWarps * 16;
constexpr int64_t kCounter = kFound + 5 * 8;
constexpr int64_t kSharedBytes = kCounter + 8;

struct Histogram {
  Value counts, masses; // shared: kBins of i32, of i64

  Histogram(Emitter &b, int64_t offset)
      : counts(b.sharedMemory(offset + kBins * 8)),
        masses(b.sharedMemory(offset)) {}
  void clear(Emitter &b) const {
    for (int64_t i = 0; i < 2; ++i) {
      Value bin = b.addI(b.thread(), i * kPivotThreads);
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
      : b_(b), shape_(shape), logits_(logits), row_(row), state_(state),
        buckets_(b, 0), digits_(b, kHistogramBytes),
        scale_(b.div(b.f32(kBucketsOfUnit), state.temperature)) {}

  void fillBuckets() {
    buckets_.clear(b_);
    b_.barrier();
    forTokens([&](Value, Value x) {
      buckets_.add(b_, bucketOf(x), state_.mass(b_, x));
    });
    b_.barrier();
  }

  // The first rank at which the count (or mass) of the tokens up to and
  // including it reaches `target`, and their mass. The target must be reached.
  std::pair<Value, Value> descend(Value target, bool byMass) {
    Bin bucket = find(buckets_, target, byMass);
    Value digitBits = b_.i64(kDigitBits);
    Bucket tokens = list(bucket);
    SmallVector<Value> end = b_.loop(
        b_.i32(0), b_.i32(kDigits), b_.i32(1),
        {b_.i64(0), b_.i64(numerics::kRankBits), bucket.count, bucket.mass,
         b_.i64(0)},
        [&](Value, ValueRange carried) -> SmallVector<Value> {
          Value prefix = carried[0];
          Value high = carried[1];
          Value bits = b_.minI(high, digitBits);
          Value low = b_.subI(high, bits);
          digits_.clear(b_);
          b_.barrier();
          forBucket(tokens, [&](Value rank, llvm::function_ref<Value()> mass) {
            b_.ifThen(b_.equal(b_.shrI(rank, high), prefix), [&] {
              Value digit = b_.subI(b_.shrI(rank, low), b_.shlI(prefix, bits));
              digits_.add(b_, b_.narrow(digit), mass());
            });
          });
          b_.barrier();
          Bin found =
              find(digits_, b_.subI(target, carried[byMass ? 3 : 2]), byMass);
          return {b_.addI(b_.shlI(prefix, bits), found.index), low,
                  b_.addI(carried[2], found.count),
                  b_.addI(carried[3], found.mass), found.ownMass};
        });
    return {end[0], b_.addI(end[3], end[4])};
  }

private:
  // Monotone in the logit, in spite of rounding and overflow.
  Value bucketOf(Value x) {
    Value distance =
        b_.min(b_.mul(b_.sub(state_.largest, x), scale_), b_.f32(kBins - 1));
    return arith::FPToUIOp::create(b_, b_.getI32Type(), distance);
  }

  void forTokens(llvm::function_ref<void(Value token, Value x)> body) {
    b_.loop(b_.mulI(b_.thread(), shape_.width), b_.i32(shape_.vocabulary),
            b_.i32(kPivotThreads * shape_.width), [&](Value column) {
              Value vector = loadFloats(
                  b_, logits_, b_.getF32Type(),
                  b_.place(row_, shape_.vocabulary, column), shape_.width);
              for (int64_t i = 0; i < shape_.width; ++i)
                body(b_.addI(column, i), b_.extract(vector, i));
            });
  }

  // The tokens of a bucket. They are listed if they fit, which they do unless
  // many logits are alike.
  struct Bucket {
    Value index, count, isListed;
  };

  Value inList(int64_t table, Value place) {
    return b_.at(b_.sharedMemory(kList + table * kListed * 8), b_.getI64Type(),
                 place);
  }

  Bucket list(const Bin &bin) {
    Bucket bucket{b_.narrow(bin.index), b_.narrow(bin.ownCount),
                  b_.lessEqual(bin.ownCount, b_.i64(kListed))};
    b_.ifThen(bucket.isListed, [&] {
      Value counter = b_.sharedMemory(kCounter);
      Value one = b_.i32(1);
      b_.ifThen(b_.equal(b_.thread(), 0),
                [&] { b_.store(b_.i32(0), counter); });
      b_.barrier();
      forTokens([&](Value token, Value x) {
        b_.ifThen(b_.equal(bucketOf(x), bucket.index), [&] {
          Value place = LLVM::AtomicRMWOp::create(
              b_, LLVM::AtomicBinOp::add, counter, one,
              LLVM::AtomicOrdering::monotonic, "block");
          b_.store(tokenRank(b_, x, token), inList(0, place));
          b_.store(state_.mass(b_, x), inList(1, place));
        });
      });
      b_.barrier();
    });
    return bucket;
  }

  void forBucket(
      const Bucket &bucket,
      llvm::function_ref<void(Value rank, llvm::function_ref<Value()> mass)>
          body) {
    b_.ifThenElse(
        bucket.isListed,
        [&] {
          b_.loop(b_.thread(), bucket.count, kPivotThreads, [&](Value place) {
            body(b_.load(inList(0, place), b_.getI64Type()),
                 [&] { return b_.load(inList(1, place), b_.getI64Type()); });
          });
        },
        [&] {
          forTokens([&](Value token, Value x) {
            b_.ifThen(b_.equal(bucketOf(x), bucket.index), [&] {
              body(tokenRank(b_, x, token), [&] { return state_.mass(b_, x); });
            });
          });
        });
  }

  // The first bin at which the sum reaches `target` > 0. A thread has two
  // neighbouring bins.
  Bin find(const Histogram &histogram, Value target, bool byMass) {
    Type i64 = b_.getI64Type();
    Type i32 = b_.getI32Type();
    Value lane = b_.lane();
    Value first = b_.mulI(b_.thread(), 2);
    Value counts[2], masses[2];
    for (int64_t i = 0; i < 2; ++i) {
      counts[i] = b_.wide(
          b_.load(b_.at(histogram.counts, i32, b_.addI(first, i)), i32));
      masses[i] = b_.load(b_.at(histogram.masses, i64, b_.addI(first, i)), i64);
    }
    Value count = b_.addI(counts[0], counts[1]);
    Value mass = b_.addI(masses[0], masses[1]);
    Value countsTo = warpScanI64(b_, count);
    Value massesTo = warpScanI64(b_, mass);
    Value scan = b_.sharedMemory(kScan);
    b_.ifThen(b_.equal(lane, 31), [&] {
      b_.store(countsTo, b_.at(scan, i64, b_.warp()));
      b_.store(massesTo, b_.at(scan, i64, b_.addI(b_.warp(), kWarps)));
    });
    b_.barrier();
    auto ofWarpsBefore = [&](int64_t table) {
      Value own = b_.load(b_.at(scan, i64, b_.addI(lane, table)), i64);
      return warpSumI64(b_,
                        b_.select(b_.less(lane, b_.warp()), own, b_.i64(0)));
    };
    Value countBefore = b_.subI(b_.addI(countsTo, ofWarpsBefore(0)), count);
    Value massBefore = b_.subI(b_.addI(massesTo, ofWarpsBefore(kWarps)), mass);
    Value before = byMass ? massBefore : countBefore;
    Value own = byMass ? mass : count;
    Value found = b_.sharedMemory(kFound);
    b_.ifThen(b_.both(b_.less(before, target),
                      b_.lessEqual(target, b_.addI(before, own))),
              [&] {
                Value isFirst = b_.lessEqual(
                    target, b_.addI(before, byMass ? masses[0] : counts[0]));
                auto put = [&](int64_t place, Value ofFirst, Value ofSecond) {
                  b_.store(b_.select(isFirst, ofFirst, ofSecond),
                           b_.at(found, i64, b_.i32(place)));
                };
                put(0, b_.wide(first), b_.wide(b_.addI(first, 1)));
                put(1, countBefore, b_.addI(countBefore, counts[0]));
                put(2, massBefore, b_.addI(massBefore, masses[0]));
                put(3, counts[0], counts[1]);
                put(4, masses[0], masses[1]);
              });
    b_.barrier();
    auto get = [&](int64_t place) {
      return b_.load(b_.at(found, i64, b_.i32(place)), i64);
    };
    return {get(0), get(1), get(2), get(3), get(4)};
  }

  Emitter &b_;
  const SampleRows &shape_;
  Value logits_, row_;
  const RowState &state_;
  Histogram buckets_, digits_;
  Value scale_;
};

} // namespace

void launchPivots(Kernel &k, nn::SampleOp::Adaptor op, const SampleRows &shape,
                  Value maxima, Value masses, Value pivots, Value leasts) {
  LaunchSpec spec;
  spec.key = "sample_pivot_" + std::to_string(shape.vocabulary);
  spec.threads = kPivotThreads;
  spec.sharedBytes = kSharedBytes;
  spec.grid = {k.extent(op.getFiltered(), 0)};
  spec.arguments = {op.getLogits(),   op.getTemperature(),
                    op.getFiltered(), op.getTopK(),
                    op.getTopP(),     op.getMinP(),
                    maxima,           masses,
                    pivots,           leasts};
  spec.partly = spec.arguments; // depends on what the rows draw from
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type i64 = b.getI64Type();
    Type i32 = b.getI32Type();
    Type f64 = b.getF64Type();
    Value row = b.load(b.at(arguments[2], i32, b.block()), i32);
    RowState state(b, shape, arguments[6], arguments[1], row);
    b.ifThen(state.drawn, [&] {
      Value topK = b.load(b.at(arguments[3], i32, b.block()), i32);
      Value topP = b.load(b.at(arguments[4], f64, b.block()), f64);
      Value minP = b.load(b.at(arguments[5], f64, b.block()), f64);
      // topK - 1 of 0 is a large number.
      Value isFewer = b.less(b.subI(topK, 1), shape.vocabulary - 1);
      Value one = arith::ConstantOp::create(b, b.getF64FloatAttr(1.0));
      Value isLess = b.greater(one, topP);
      b.ifThen(b.either(isFewer, isLess), [&] {
        PivotSearch search(b, shape, arguments[0], row, state);
        search.fillBuckets();
        // A branch here yields one value only, so one thread passes the pivot
        // through memory.
        Value pivotOfRow = b.at(arguments[8], i64, row);
        Value isFirst = b.equal(b.thread(), 0);
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
