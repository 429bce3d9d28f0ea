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

// "<name>" of an attribute "gradient:<name>", else empty.
StringRef gradientName(DictionaryAttr attributes, StringRef attribute) {
  auto text =
      attributes ? attributes.getAs<StringAttr>(attribute) : StringAttr();
  StringRef name = text ? text.getValue() : StringRef();
  return name.consume_front(kGradientPrefix) ? name : StringRef();
}

// The name under which the step returns the gradient of an argument.
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
      : forward(forward), step(step), point(arguments.begin(), arguments.end()),
        options(options), random(options.seed) {}

  FailureOr<std::vector<GradientComparison>> run() {
    if (failed(fillArguments()))
      return failure();
    auto results = evaluate(step, stepArguments, options.reference);
    if (failed(results))
      return failure();
    std::vector<GradientComparison> comparisons;
    for (unsigned i = 0; i < forward.getNumArguments(); ++i) {
      std::string name = nameOf(forward, i);
      for (unsigned r = 0; r < step.getNumResults(); ++r) {
        DictionaryAttr attributes = step.getResultAttrDict(r);
        if (gradientName(attributes, nn::kStateAttr) != name &&
            gradientName(attributes, nn::kOutputAttr) != name)
          continue;
        std::vector<double> gradient = (*results)[r].reals;
        if (accumulators.contains(name))
          for (auto [element, before] :
               llvm::zip_equal(gradient, accumulators[name].reals))
            element -= before;
        auto comparison = compare(i, name, gradient);
        if (failed(comparison))
          return failure();
        comparisons.push_back(std::move(*comparison));
      }
    }
    if (comparisons.empty())
      return step.emitError() << "returns no gradient of an argument of '"
                              << forward.getName() << "'";
    return comparisons;
  }

private:
  // What the step takes beyond the forward's arguments: seeds and accumulators.
  LogicalResult fillArguments() {
    auto results = evaluate(forward, point, options.reference);
    if (failed(results))
      return failure();
    seeds.resize(results->size());
    stepArguments.assign(point.begin(), point.end());
    for (unsigned i = forward.getNumArguments(); i < step.getNumArguments();
         ++i) {
      Type type = step.getArgumentTypes()[i];
      StringRef accumulated =
          gradientName(step.getArgAttrDict(i), nn::kStateAttr);
      StringRef seeded = gradientName(step.getArgAttrDict(i), nn::kInputAttr);
      unsigned result = 0;
      if (!accumulated.empty()) {
        ReferenceValue value = randomValue(type, random);
        accumulators[accumulated] = value;
        stepArguments.push_back(std::move(value));
      } else if (seeded.consume_front("result") &&
                 !seeded.getAsInteger(10, result) && result < seeds.size()) {
        ReferenceValue value =
            randomValue(type, random, (*results)[result].shape);
        seeds[result] = value.reals;
        stepArguments.push_back(std::move(value));
      } else {
        return step.emitError()
               << "argument " << i
               << " is neither an accumulator nor a seed of a gradient";
      }
    }
    if (llvm::all_of(seeds, [](const std::vector<double> &seed) {
          return seed.empty();
        })) {
      if (results->empty() || results->front().reals.size() != 1)
        return forward.emitError() << "the first result is not a float scalar, "
                                      "and the step takes no seeds";
      seeds.front() = {1.0};
    }
    return success();
  }

  // sum_i <seed_i, result_i> with argument `index` moved by h along
  // `direction`.
  FailureOr<double> valueAt(unsigned index, ArrayRef<double> direction,
                            double h) {
    std::vector<double> kept = point[index].reals;
    for (auto [element, d] : llvm::zip_equal(point[index].reals, direction))
      element += h * d;
    auto results = evaluate(forward, point, options.reference);
    point[index].reals = std::move(kept);
    if (failed(results))
      return failure();
    double sum = 0.0;
    for (auto [seed, result] : llvm::zip_equal(seeds, *results))
      if (!seed.empty())
        for (auto [g, element] : llvm::zip_equal(seed, result.reals))
          sum += g * element;
    return sum;
  }

  FailureOr<double> derivative(unsigned index, ArrayRef<double> direction) {
    // Five-point formula: weights of f(-2h), f(-h), f(h), f(2h), over 12 h.
    const std::pair<double, double> points[] = {
        {-2, 1}, {-1, -8}, {1, 8}, {2, -1}};
    double sum = 0.0;
    for (auto [at, weight] : points) {
      FailureOr<double> value = valueAt(index, direction, at * options.step);
      if (failed(value))
        return failure();
      sum += weight * *value;
    }
    return sum / (12.0 * options.step);
  }

  FailureOr<GradientComparison> compare(unsigned index, StringRef name,
                                        ArrayRef<double> gradient) {
    GradientComparison comparison{index, name.str(), {}, {}, 0.0};
    size_t elements = point[index].reals.size();
    if (gradient.size() != elements)
      return step.emitError()
             << "the gradient of '" << name << "' has " << gradient.size()
             << " elements, not " << elements;
    bool each = elements <= static_cast<size_t>(options.directions);
    for (size_t number = 0, count = each ? elements : options.directions;
         number < count; ++number) {
      std::vector<double> direction(elements, 0.0);
      if (each)
        direction[number] = 1.0;
      else
        for (double &d : direction)
          d = random() & 1 ? 1.0 : -1.0;
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

  func::FuncOp forward, step;
  std::vector<ReferenceValue> point, stepArguments;
  FiniteDifferenceOptions options;
  std::mt19937_64 random;
  std::vector<std::vector<double>>
      seeds; // of each result of forward; empty: not part of the sum
  llvm::StringMap<ReferenceValue> accumulators;
};

} // namespace

FailureOr<std::vector<GradientComparison>>
nibble::compareGradients(func::FuncOp forward, func::FuncOp step,
                         ArrayRef<ReferenceValue> arguments,
                         const FiniteDifferenceOptions &options) {
  return Checker(forward, step, arguments, options).run();
}
