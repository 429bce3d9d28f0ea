// Evaluates a forward function at shifted points and compares the differences
// with the gradients that were built.
#include "lib/Reference/FiniteDifference.h"

#include "dialects/NN/NN.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace nibble;

ReferenceValue nibble::randomValue(Type type, std::mt19937_64 &random,
                                   ArrayRef<int64_t> shape) {
  ReferenceValue value = ReferenceValue::zero(type, shape);
  for (double &element : value.reals)
    element = static_cast<double>(random() >> 11) * 0x1p-52 - 1.0;
  return value;
}

namespace {

constexpr StringLiteral kGradientPrefix = "gradient:";

// The "<name>" of an attribute "gradient:<name>", else empty.
StringRef gradientName(DictionaryAttr attributes, StringRef attribute) {
  auto text =
      attributes ? attributes.getAs<StringAttr>(attribute) : StringAttr();
  StringRef name = text ? text.getValue() : StringRef();
  return name.consume_front(kGradientPrefix) ? name : StringRef();
}

// The name that the step gives the gradient of an argument.
std::string nameOf(func::FuncOp forward, unsigned argument) {
  for (StringRef attribute :
       {StringRef(nn::kParameterAttr), StringRef(nn::kInputAttr)})
    if (auto name = forward.getArgAttrOfType<StringAttr>(argument, attribute))
      return name.str();
  return "arg" + std::to_string(argument);
}

class Checker {
public:
  Checker(func::FuncOp forward, func::FuncOp step,
          ArrayRef<ReferenceValue> arguments,
          const FiniteDifferenceOptions &options)
      : forward_(forward), step_(step),
        point_(arguments.begin(), arguments.end()), options_(options),
        random_(options.seed) {}

  FailureOr<std::vector<GradientComparison>> run() {
    if (failed(fillArguments()))
      return failure();
    auto results = evaluate(step_, stepArguments_, options_.reference);
    if (failed(results))
      return failure();
    std::vector<GradientComparison> comparisons;
    for (unsigned i = 0; i < forward_.getNumArguments(); ++i) {
      std::string name = nameOf(forward_, i);
      for (unsigned r = 0; r < step_.getNumResults(); ++r) {
        DictionaryAttr attributes = step_.getResultAttrDict(r);
        if (gradientName(attributes, nn::kStateAttr) != name &&
            gradientName(attributes, nn::kOutputAttr) != name)
          continue;
        std::vector<double> gradient = (*results)[r].reals;
        if (accumulators_.contains(name))
          for (auto [element, before] :
               llvm::zip_equal(gradient, accumulators_[name].reals))
            element -= before;
        auto comparison = compare(i, name, gradient);
        if (failed(comparison))
          return failure();
        comparisons.push_back(std::move(*comparison));
      }
    }
    if (comparisons.empty())
      return step_.emitError() << "returns no gradient of an argument of '"
                               << forward_.getName() << "'";
    return comparisons;
  }

private:
  // Fills the arguments that the step has beyond those of forward: seeds and
  // accumulators.
  LogicalResult fillArguments() {
    auto results = evaluate(forward_, point_, options_.reference);
    if (failed(results))
      return failure();
    seeds_.resize(results->size());
    stepArguments_.assign(point_.begin(), point_.end());
    for (unsigned i = forward_.getNumArguments(); i < step_.getNumArguments();
         ++i) {
      Type type = step_.getArgumentTypes()[i];
      StringRef accumulated =
          gradientName(step_.getArgAttrDict(i), nn::kStateAttr);
      StringRef seeded = gradientName(step_.getArgAttrDict(i), nn::kInputAttr);
      unsigned result = 0;
      if (!accumulated.empty()) {
        ReferenceValue value = randomValue(type, random_);
        accumulators_[accumulated] = value;
        stepArguments_.push_back(std::move(value));
      } else if (seeded.consume_front("result") &&
                 !seeded.getAsInteger(10, result) && result < seeds_.size()) {
        ReferenceValue value =
            randomValue(type, random_, (*results)[result].shape);
        seeds_[result] = value.reals;
        stepArguments_.push_back(std::move(value));
      } else {
        return step_.emitError()
               << "argument " << i
               << " is neither an accumulator nor a seed of a gradient";
      }
    }
    if (llvm::all_of(seeds_, [](const std::vector<double> &seed) {
          return seed.empty();
        })) {
      if (results->empty() || results->front().reals.size() != 1)
        return forward_.emitError()
               << "the first result is not a float scalar, "
                  "and the step takes no seeds";
      seeds_.front() = {1.0};
    }
    return success();
  }

  // sum_i <seed_i, result_i> with argument `index` moved by h along
  // `direction`.
  FailureOr<double> valueAt(unsigned index, ArrayRef<double> direction,
                            double h) {
    std::vector<double> kept = point_[index].reals;
    for (auto [element, d] : llvm::zip_equal(point_[index].reals, direction))
      element += h * d;
    auto results = evaluate(forward_, point_, options_.reference);
    point_[index].reals = std::move(kept);
    if (failed(results))
      return failure();
    double sum = 0.0;
    for (auto [seed, result] : llvm::zip_equal(seeds_, *results))
      if (!seed.empty())
        for (auto [g, element] : llvm::zip_equal(seed, result.reals))
          sum += g * element;
    return sum;
  }

  FailureOr<double> derivative(unsigned index, ArrayRef<double> direction) {
    // The five-point formula: weights of f(-2h), f(-h), f(h) and f(2h), divided
    // by 12 h.
    const std::pair<double, double> points[] = {
        {-2, 1}, {-1, -8}, {1, 8}, {2, -1}};
    double sum = 0.0;
    for (auto [at, weight] : points) {
      FailureOr<double> value = valueAt(index, direction, at * options_.step);
      if (failed(value))
        return failure();
      sum += weight * *value;
    }
    return sum / (12.0 * options_.step);
  }

  FailureOr<GradientComparison> compare(unsigned index, StringRef name,
                                        ArrayRef<double> gradient) {
    GradientComparison comparison{index, name.str(), {}, {}, 0.0};
    size_t elements = point_[index].reals.size();
    if (gradient.size() != elements)
      return step_.emitError()
             << "the gradient of '" << name << "' has " << gradient.size()
             << " elements, not " << elements;
    bool each = elements <= static_cast<size_t>(options_.directions);
    for (size_t number = 0, count = each ? elements : options_.directions;
         number < count; ++number) {
      std::vector<double> direction(elements, 0.0);
      if (each)
        direction[number] = 1.0;
      else
        for (double &d : direction)
          d = random_() & 1 ? 1.0 : -1.0;
      FailureOr<double> difference = derivative(index, direction);
      if (failed(difference))
        return failure();
      double dot = 0.0;
      for (auto [d, g] : llvm::zip_equal(direction, gradient))
        dot += d * g;
      comparison.fromGradient.push_back(dot);
      comparison.fromDifferences.push_back(*difference);
    }
    comparison.relativeError =
        relativeError(comparison.fromGradient, comparison.fromDifferences);
    return comparison;
  }

  func::FuncOp forward_, step_;
  std::vector<ReferenceValue> point_, stepArguments_;
  FiniteDifferenceOptions options_;
  std::mt19937_64 random_;
  // The seed of each result of forward; empty when it is not part of the sum.
  std::vector<std::vector<double>> seeds_;
  llvm::StringMap<ReferenceValue> accumulators_;
};

} // namespace

FailureOr<std::vector<GradientComparison>>
nibble::compareGradients(func::FuncOp forward, func::FuncOp step,
                         ArrayRef<ReferenceValue> arguments,
                         const FiniteDifferenceOptions &options) {
  return Checker(forward, step, arguments, options).run();
}
