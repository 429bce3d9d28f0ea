// Compares nn.sample on the device with the host's sampler. Tokens and bits of
// kept mass are equal for every row, alone and in the batch.
#include "runtime/bundle/bundle.h"
#include "runtime/core/philox.h"
#include "runtime/rollout/sampler.h"
#include "test/device/recorded_case.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

std::string sampleOf(int64_t vocabulary) {
  return fmt::format(R"mlir(
func.func @f(%logits: tensor<?x{0}xf32>, %temperature: tensor<?xf32>, %bits: tensor<?xi64>, %filtered: tensor<?xi32>, %k: tensor<?xi32>,
    %p: tensor<?xf64>, %m: tensor<?xf64>) -> (tensor<?xi32>, tensor<?xf32>, tensor<?xi32>) {{
  %token, %kept, %status = nn.sample %logits, %temperature, %bits, %filtered, %k, %p, %m
      : tensor<?x{0}xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return %token, %kept, %status : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
}})mlir",
                     vocabulary);
}

struct Row {
  std::vector<float> logits;
  SamplingOptions options;
  uint64_t bits = 0;
};

template <typename T>
Tensor tensorOf(DType dtype, const std::vector<T> &values, Shape shape = {}) {
  if (shape.empty())
    shape = {static_cast<int64_t>(values.size())};
  Tensor tensor = std::move(*Tensor::create(dtype, shape));
  if (!values.empty())
    std::memcpy(tensor.data(), values.data(), values.size() * sizeof(T));
  return tensor;
}

std::vector<Tensor> argumentsOf(std::span<const Row> rows) {
  auto vocabulary = static_cast<int64_t>(rows[0].logits.size());
  std::vector<float> logits, temperatures;
  std::vector<int64_t> bits;
  std::vector<int32_t> filtered, topK;
  std::vector<double> topP, minP;
  for (const Row &row : rows) {
    logits.insert(logits.end(), row.logits.begin(), row.logits.end());
    temperatures.push_back(static_cast<float>(row.options.temperature));
    bits.push_back(static_cast<int64_t>(row.bits));
    if (!row.options.filtered())
      continue;
    filtered.push_back(static_cast<int32_t>(&row - rows.data()));
    topK.push_back(static_cast<int32_t>(row.options.topK));
    topP.push_back(row.options.topP);
    minP.push_back(row.options.minP);
  }
  std::vector<Tensor> arguments;
  arguments.push_back(tensorOf(
      DType::kF32, logits, {static_cast<int64_t>(rows.size()), vocabulary}));
  arguments.push_back(tensorOf(DType::kF32, temperatures));
  arguments.push_back(tensorOf(DType::kI64, bits));
  arguments.push_back(tensorOf(DType::kI32, filtered));
  arguments.push_back(tensorOf(DType::kI32, topK));
  arguments.push_back(tensorOf(DType::kF64, topP));
  arguments.push_back(tensorOf(DType::kF64, minP));
  return arguments;
}

std::vector<Tensor> run(CompiledForDevice &program, std::span<const Row> rows) {
  std::vector<Tensor> arguments = argumentsOf(rows);
  std::vector<const Tensor *> pointers;
  for (const Tensor &argument : arguments)
    pointers.push_back(&argument);
  return program.call("f", pointers);
}

std::string describe(const SamplingOptions &o) {
  return fmt::format("temperature {} top_k {} top_p {} min_p {}", o.temperature,
                     o.topK, o.topP, o.minP);
}

// Records the sampler's results for nibble-replay (NIBBLE_RECORD). A GPU must
// give the same numbers.
void record(const CompiledForDevice &program, std::span<const Row> rows) {
  const char *folder = std::getenv("NIBBLE_RECORD");
  if (!folder)
    return;
  static int number = 0;
  std::string path = fmt::format("{}/sample-{}", folder, number++);
  auto count = static_cast<int64_t>(rows.size());
  RecordedCase recorded;
  recorded.name =
      fmt::format("sample from {} rows of {}", count, rows[0].logits.size());
  recorded.arguments = argumentsOf(rows);
  for (int i = 0; i < 3; ++i) {
    recorded.expected.push_back(
        std::move(*Tensor::create(DType::kF64, {count})));
    recorded.bounds.push_back(1e-30); // this bound requires equality
  }
  for (int64_t i = 0; i < count; ++i) {
    auto choice =
        Sampler().choose(rows[i].logits, rows[i].options, rows[i].bits);
    ASSERT_TRUE(choice.isOk());
    recorded.expected[0].as<double>()[i] = choice->token;
    recorded.expected[1].as<double>()[i] = choice->logKeptMass;
  }
  ASSERT_TRUE(recorded.write(path).isOk());
  ASSERT_TRUE(
      writeBundle(path + "/program.nbl", program.deviceProgram()).isOk());
}

// Compares all rows at once with the sampler, and every tenth row alone.
void check(CompiledForDevice &program, std::span<const Row> rows) {
  std::vector<Tensor> results = run(program, rows);
  Sampler sampler;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto choice = sampler.choose(rows[i].logits, rows[i].options, rows[i].bits);
    std::string where =
        fmt::format("row {} of {} logits, {}", i, rows[i].logits.size(),
                    describe(rows[i].options));
    Status status = describeBadRow(results[2].as<int32_t>()[i]);
    ASSERT_EQ(status.message(), choice.status().message()) << where;
    if (choice.isOk()) {
      EXPECT_EQ(results[0].as<int32_t>()[i], choice->token) << where;
      EXPECT_EQ(
          std::memcmp(results[1].as<float>() + i, &choice->logKeptMass, 4), 0)
          << where << ": " << results[1].as<float>()[i] << " instead of "
          << choice->logKeptMass;
    }
    if (i % 10 != 3)
      continue;
    std::vector<Tensor> alone = run(program, rows.subspan(i, 1));
    for (size_t r = 0; r < alone.size(); ++r)
      EXPECT_EQ(difference(alone[r], rowsOf(results[r], static_cast<int64_t>(i),
                                            static_cast<int64_t>(i) + 1)),
                "the same")
          << where << " alone, result " << r;
  }
}

float normalOf(uint64_t seed, uint64_t row, uint64_t token) {
  uint64_t bits = randomBits(seed, RandomStream::kTask, 0, row, token);
  double u = toUnit(bits << 32) + 0x1p-60;
  double v = toUnit(bits & 0xFFFFFFFF00000000ull);
  return static_cast<float>(std::sqrt(-2 * std::log(u)) *
                            std::cos(6.283185307179586 * v));
}

// Logits of many kinds, with options in every combination.
std::vector<Row> someRows(int64_t count, int64_t vocabulary) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < count; ++i) {
    auto number = static_cast<uint64_t>(i);
    auto pick = [&](uint64_t what, uint64_t below) {
      return toBelow(randomBits(7, RandomStream::kData, 1, number, what),
                     below);
    };
    Row row;
    float scale = std::array{1.0f, 3.0f, 0.05f, 20.0f}[pick(0, 4)];
    for (int64_t v = 0; v < vocabulary; ++v)
      row.logits.push_back(scale *
                           normalOf(11, number, static_cast<uint64_t>(v)));
    switch (i % 6) {
    case 1: // many ties, including both zeros
      for (float &x : row.logits)
        x = std::round(x * 2) / 2;
      break;
    case 2: // excluded tokens
      for (int64_t v = 0; v < vocabulary; ++v)
        if (v % 3 != 0)
          row.logits[v] = -INFINITY;
      break;
    case 3: // all equal
      if (i % 12 == 3)
        std::fill(row.logits.begin(), row.logits.end(), -2.5f);
      break;
    default:
      break;
    }
    row.options.temperature = std::array{
        1.0, 0.7, 1.3, 0.1, 0.0, 1e-38}[i % 13 == 5 ? 5 : pick(1, 5)];
    if (pick(2, 2) == 0)
      row.options.topK = static_cast<int64_t>(
          1 +
          pick(3, pick(4, 2) == 0 ? 5 : static_cast<uint64_t>(vocabulary) + 2));
    if (pick(5, 2) == 0)
      row.options.topP = std::array{0.9, 0.5, 1e-12, 0.999999, 0.3}[pick(6, 5)];
    // All in one bucket, which holds more than the list has room for.
    if (i % 12 == 3)
      row.options.topP = 0.5;
    if (pick(7, 3) == 0)
      row.options.minP = std::array{0.05, 1.0, 1e-12, 0.5}[pick(8, 4)];
    row.bits = i % 9 == 4 ? 0
               : i % 9 == 7
                   ? ~uint64_t{0}
                   : randomBits(5, RandomStream::kSampler, 0, number, 0);
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(HopperSample, DrawsWhatTheHostDraws) {
  for (auto [vocabulary, count] : {std::pair<int64_t, int64_t>{5, 200},
                                   {1, 10},
                                   {100, 200},
                                   {1002, 100},
                                   {4097, 40},
                                   {8192, 20},
                                   {20002, 20}}) {
    CompiledForDevice program(sampleOf(vocabulary));
    std::vector<Row> rows = someRows(count, vocabulary);
    check(program, rows);
    record(program, rows);
  }
}

TEST(HopperSample, AWholeVocabulary) {
  CompiledForDevice program(sampleOf(151936));
  std::vector<Row> rows = someRows(4, 151936);
  check(program, rows);
  record(program, rows);
}

TEST(HopperSample, ARowWithoutADrawSaysWhy) {
  for (int64_t vocabulary : {7, 9001}) {
    CompiledForDevice program(sampleOf(vocabulary));
    std::vector<Row> rows = someRows(16, vocabulary);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<float> &logits = rows[i].logits;
      if (i % 4 == 0)
        logits[vocabulary - 2] = -std::nanf("");
      if (i % 4 == 1)
        logits[vocabulary / 2] = INFINITY;
      if (i % 4 == 2)
        std::fill(logits.begin(), logits.end(), -INFINITY);
      if (i % 8 == 4)
        logits[vocabulary - 1] = INFINITY;
    }
    check(program, rows);
  }
}

} // namespace
