// A training program for the model of test/runtime/rollout/fake_model.h. It has
// the same logits, their handwritten gradient, and AdamW. Its one weight is
// "table" [V, V].
#pragma once

#include "test/runtime/rollout/fake_model.h"

#include <algorithm>

namespace nibble::test {

enum class FakeObjective { kSft, kGrpo };

inline void addFakeTraining(FakeProgram &fake, FakeObjective objective,
                            FakeModelOptions options = {}) {
  int64_t V = options.vocabulary;
  // Logits of every row. The history of a row is its sequence up to that row.
  auto rowLogits = [=](FakeCall &call, int64_t row, int64_t begin) {
    auto *tokens = call.as<int32_t>("tokens");
    return fakeLogits(std::vector<int32_t>(tokens + begin, tokens + row + 1),
                      call.as<uint16_t>("table"), options);
  };
  auto forEachRow = [](FakeCall &call, auto &&body) {
    auto *sequences = call.as<int32_t>("sequences");
    for (int64_t s = 0; s + 1 < call.size("sequences"); ++s)
      for (int64_t row = sequences[s]; row < sequences[s + 1]; ++row)
        body(row, sequences[s]);
  };
  auto inputs = [](FakeFunction &function) -> FakeFunction & {
    return function.input("tokens", DType::kI32, {-1})
        .input("targets", DType::kI32, {-1})
        .input("positions", DType::kI32, {-1})
        .input("sequences", DType::kI32, {-1})
        .input("temperature", DType::kF32, {-1});
  };

  FakeFunction &step = inputs(fake.function("train_step"));
  step.input("mask", DType::kF32, {-1}).input("weight", DType::kF32, {-1});
  if (objective == FakeObjective::kGrpo)
    step.input("advantage", DType::kF32, {-1})
        .input("old_logp", DType::kF32, {-1});
  step.parameter("table", DType::kBF16, {V, V})
      .state("gradient:table", DType::kF32, {V, V})
      .result("loss", DType::kF32, {})
      .result("logp", DType::kF32, {-1})
      .result("entropy", DType::kF32, {-1})
      .result("rows:loss", DType::kF32, {-1});
  if (objective == FakeObjective::kGrpo)
    step.result("clipped", DType::kF32, {-1})
        .result("clip_fraction", DType::kF32, {});
  step.body([=](FakeCall &call) {
    int64_t rows = call.size("tokens");
    auto *loss = call.result("loss", {}).as<float>();
    auto *logp = call.result("logp", {rows}).as<float>();
    auto *entropy = call.result("entropy", {rows}).as<float>();
    auto *rowLoss = call.result("rows:loss", {rows}).as<float>();
    auto *clipped = objective == FakeObjective::kGrpo
                        ? call.result("clipped", {rows}).as<float>()
                        : nullptr;
    auto *fraction =
        clipped ? call.result("clip_fraction", {}).as<float>() : nullptr;
    auto *gradient = call.as<float>("gradient:table");
    auto *temperature = call.as<float>("temperature");
    auto *mask = call.as<float>("mask");
    auto *weight = call.as<float>("weight");
    auto *tokens = call.as<int32_t>("tokens");
    auto *targets = call.as<int32_t>("targets");
    forEachRow(call, [&](int64_t row, int64_t begin) {
      auto logits = rowLogits(call, row, begin);
      logp[row] = fakeLogProbability(logits.data(), V, targets[row],
                                     temperature[row], entropy + row);
      float scale = mask[row] * weight[row];
      float coefficient = -scale; // d loss / d logp
      if (objective == FakeObjective::kSft) {
        rowLoss[row] = 0.0f - scale * logp[row];
      } else {
        float advantage = call.as<float>("advantage")[row];
        float ratio = std::exp(logp[row] - call.as<float>("old_logp")[row]);
        float bounded = std::clamp(ratio, 0.8f, 1.2f);
        bool cut = bounded * advantage < ratio * advantage;
        clipped[row] = cut ? 1.0f : 0.0f;
        *fraction += scale * clipped[row];
        rowLoss[row] = 0.0f - scale * (cut ? bounded : ratio) * advantage;
        coefficient = cut ? 0.0f : -scale * ratio * advantage;
      }
      *loss += rowLoss[row];
      if (coefficient != 0)
        for (int64_t v = 0; v < V; ++v) {
          float p, unused;
          p = std::exp(fakeLogProbability(logits.data(), V,
                                          static_cast<int32_t>(v),
                                          temperature[row], &unused));
          gradient[tokens[row] * V + v] +=
              coefficient * ((v == targets[row] ? 1.0f : 0.0f) - p) /
              temperature[row];
        }
    });
  });

  inputs(fake.function("log_probability"))
      .parameter("table", DType::kBF16, {V, V})
      .result("logp", DType::kF32, {-1})
      .result("entropy", DType::kF32, {-1})
      .body([=](FakeCall &call) {
        int64_t rows = call.size("tokens");
        auto *logp = call.result("logp", {rows}).as<float>();
        auto *entropy = call.result("entropy", {rows}).as<float>();
        forEachRow(call, [&](int64_t row, int64_t begin) {
          logp[row] = fakeLogProbability(rowLogits(call, row, begin).data(), V,
                                         call.as<int32_t>("targets")[row],
                                         call.as<float>("temperature")[row],
                                         entropy + row);
        });
      });

  fake.function("gradient_norm")
      .state("gradient:table", DType::kF32, {V, V})
      .result("squares", DType::kF32, {})
      .body([=](FakeCall &call) {
        float *sum = call.result("squares", {}).as<float>();
        for (int64_t i = 0; i < V * V; ++i)
          *sum += call.as<float>("gradient:table")[i] *
                  call.as<float>("gradient:table")[i];
      });

  fake.function("update")
      .input("hyper", DType::kF32, {8})
      .state("master:table", DType::kF32, {V, V})
      .state("moment1:table", DType::kF32, {V, V})
      .state("moment2:table", DType::kF32, {V, V})
      .state("gradient:table", DType::kF32, {V, V})
      .state("weight:table", DType::kBF16, {V, V})
      .body([=](FakeCall &call) {
        float *h = call.as<float>("hyper");
        float *master = call.as<float>("master:table");
        float *m1 = call.as<float>("moment1:table");
        float *m2 = call.as<float>("moment2:table");
        for (int64_t i = 0; i < V * V; ++i) {
          float g = call.as<float>("gradient:table")[i] * h[5];
          m1[i] = h[1] * m1[i] + (1 - h[1]) * g;
          m2[i] = h[2] * m2[i] + (1 - h[2]) * g * g;
          master[i] -=
              h[0] * ((m1[i] / h[6]) / (std::sqrt(m2[i] / h[7]) + h[3]) +
                      h[4] * master[i]);
          call.as<uint16_t>("weight:table")[i] = toBF16(master[i]);
        }
      });
}

} // namespace nibble::test
