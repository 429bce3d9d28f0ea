// A language model without a compiler, as a rollout program. A token's logits
// are its row of a weight table "table" [V, V] bf16 plus a hash of its history.
// The hash is computed from the paged cache. A wrong page, a missed copy or a
// foreign token therefore changes the logits.
#pragma once

#include "test/runtime/core/program/fake_program.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace nibble::test {

inline constexpr int64_t kFakePageSize = 4;

inline float fromBF16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}
// A logit in [-scale, scale).
inline float hashedLogit(uint64_t history, int64_t token, float scale) {
  uint64_t bits = mix(history, static_cast<uint64_t>(token) + 1000);
  return scale * (static_cast<float>(bits >> 40) / 8388608.0f - 1.0f);
}

// log softmax(x / temperature)[target] and the entropy. "Training" and
// "rollout" use the same code.
inline float fakeLogProbability(const float *logits, int64_t vocabulary,
                                int32_t target, float temperature,
                                float *entropy) {
  float largest = -INFINITY;
  for (int64_t v = 0; v < vocabulary; ++v)
    largest = std::max(largest, logits[v] / temperature);
  float sum = 0, weighted = 0;
  for (int64_t v = 0; v < vocabulary; ++v) {
    float x = logits[v] / temperature - largest;
    float p = std::exp(x);
    sum += p;
    weighted += p * x;
  }
  *entropy = std::log(sum) - weighted / sum;
  return logits[target] / temperature - largest - std::log(sum);
}

struct FakeModelOptions {
  int64_t vocabulary = 16;
  int64_t layers = 2;
  float historyScale = 2.0f; // weight of the history's hash in the logits
};

inline void addFakeRollout(FakeProgram &fake, FakeModelOptions options = {}) {
  int64_t vocabulary = options.vocabulary;
  FakeFunction &forward = fake.function("forward");
  forward.input("tokens", DType::kI32, {-1})
      .input("positions", DType::kI32, {-1})
      .input("sequences", DType::kI32, {-1})
      .input("pages", DType::kI32, {-1, -1})
      .input("rows", DType::kI32, {-1})
      .parameter("table", DType::kBF16, {vocabulary, vocabulary});
  for (int64_t layer = 0; layer < options.layers; ++layer)
    forward
        .state("key_cache:" + std::to_string(layer), DType::kF32,
               {-1, 1, 2, kFakePageSize})
        .state("value_cache:" + std::to_string(layer), DType::kF32,
               {-1, 1, kFakePageSize, 2});
  forward.result("logits", DType::kF32, {-1, vocabulary});
  forward.body([=](FakeCall &call) {
    auto *tokens = call.as<int32_t>("tokens");
    auto *positions = call.as<int32_t>("positions");
    auto *sequences = call.as<int32_t>("sequences");
    auto *pages = call.as<int32_t>("pages");
    auto *rows = call.as<int32_t>("rows");
    auto *table = call.as<uint16_t>("table");
    int64_t count = call.size("tokens");
    int64_t columns = call.size("pages", 1);
    std::vector<uint64_t> histories(count);
    for (int64_t s = 0; s + 1 < call.size("sequences"); ++s)
      for (int64_t t = sequences[s]; t < sequences[s + 1]; ++t)
        for (int64_t layer = 0; layer < options.layers; ++layer) {
          auto *keys = call.as<float>("key_cache:" + std::to_string(layer));
          auto *values = call.as<float>("value_cache:" + std::to_string(layer));
          auto slot = [&](int64_t position) {
            return pages[s * columns + position / kFakePageSize] *
                       kFakePageSize * 2 +
                   position % kFakePageSize;
          };
          auto valueSlot = [&](int64_t position) {
            return pages[s * columns + position / kFakePageSize] *
                       kFakePageSize * 2 +
                   position % kFakePageSize * 2;
          };
          keys[slot(positions[t])] = static_cast<float>(tokens[t] + layer);
          values[valueSlot(positions[t])] =
              static_cast<float>(positions[t] + layer);
          uint64_t history = static_cast<uint64_t>(layer);
          for (int64_t position = 0; position <= positions[t]; ++position) {
            history = mix(history, static_cast<uint64_t>(keys[slot(position)]));
            history = mix(history,
                          static_cast<uint64_t>(values[valueSlot(position)]));
          }
          histories[t] = mix(histories[t], history);
        }
    auto *logits =
        call.result("logits", {call.size("rows"), vocabulary}).as<float>();
    for (int64_t r = 0; r < call.size("rows"); ++r)
      for (int64_t v = 0; v < vocabulary; ++v)
        logits[r * vocabulary + v] =
            fromBF16(table[tokens[rows[r]] * vocabulary + v]) +
            hashedLogit(histories[rows[r]], v, options.historyScale);
  });
  fake.function("sample_log_probability")
      .input("logits", DType::kF32, {-1, vocabulary})
      .input("targets", DType::kI32, {-1})
      .input("temperature", DType::kF32, {-1})
      .result("logp", DType::kF32, {-1})
      .result("entropy", DType::kF32, {-1})
      .body([=](FakeCall &call) {
        int64_t count = call.size("targets");
        auto *logp = call.result("logp", {count}).as<float>();
        auto *entropy = call.result("entropy", {count}).as<float>();
        for (int64_t r = 0; r < count; ++r)
          logp[r] =
              fakeLogProbability(call.as<float>("logits") + r * vocabulary,
                                 vocabulary, call.as<int32_t>("targets")[r],
                                 call.as<float>("temperature")[r], entropy + r);
      });
}

// The logits of the last of `tokens` as the program above computes them, but
// without pages.
inline std::vector<float> fakeLogits(const std::vector<int32_t> &tokens,
                                     const uint16_t *table,
                                     FakeModelOptions options = {}) {
  uint64_t all = 0;
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    uint64_t history = static_cast<uint64_t>(layer);
    for (size_t i = 0; i < tokens.size(); ++i) {
      history = mix(history, static_cast<uint64_t>(tokens[i] + layer));
      history =
          mix(history, static_cast<uint64_t>(i) + static_cast<uint64_t>(layer));
    }
    all = mix(all, history);
  }
  std::vector<float> logits(options.vocabulary);
  for (int64_t v = 0; v < options.vocabulary; ++v)
    logits[v] = fromBF16(table[tokens.back() * options.vocabulary + v]) +
                hashedLogit(all, v, options.historyScale);
  return logits;
}

} // namespace nibble::test
