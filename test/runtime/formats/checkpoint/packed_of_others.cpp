// Packed checkpoints as other tools write them: the same tensors with another
// config.json or another type of scales.
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include "lib/Numerics/compressed_tensors.h"
#include "lib/Numerics/half.h"
#include "lib/Numerics/quantize.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "test/runtime/formats/checkpoint/damaged_checkpoint.h"

#include <cmath>
#include <cstdio>
#include <cstring>

using namespace nibble;
using nibble::testing::contentOf;
using nibble::testing::copyOf;
using nibble::testing::Damaged;
using nibble::testing::fails;
using nibble::testing::fixture;
using nibble::testing::kQ;
using nibble::testing::putContent;
using nibble::testing::Scratch;
using numerics::Convention;
using numerics::Kind;
using numerics::Layout;
using numerics::Scheme;

namespace {

const std::string kUp = "model.layers.1.mlp.up_proj.weight";

bool sameBytes(const Tensor &a, const Tensor &b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

// llama with q_proj of layer 0 packed by 32 and up_proj of layer 1 by 16. This
// needs several groups.
class TwoGroups : public Damaged {
protected:
  void SetUp() override {
    Damaged::SetUp();
    Scratch scratch;
    std::string folder = scratch / "sixteen";
    ASSERT_TRUE(writeQuantizedCheckpoint(fixture("llama"), folder,
                                         {Kind::kInt4, 16}, {kUp})
                    .isOk());
    auto other = Checkpoint::open(folder);
    ASSERT_TRUE(other.isOk());
    for (const char *part : {"_packed", "_scale", "_shape"})
      tensors_[kUp + part] = *other->read(kUp + part);
    tensors_.erase(kUp);
    std::erase(ignored_, "model.layers.1.mlp.up_proj");
    ignore() = ignored_;
    group("group_1") = group("group_0");
    group("group_0")["targets"] = {"re:.*self_attn\\.q_proj$"};
    group("group_1")["targets"] = {"model.layers.1.mlp.up_proj"};
    group("group_1")["weights"]["group_size"] = 16;
  }
  void reads(const std::string &name) {
    save();
    auto opened = QuantizedCheckpoint::open(folder_);
    ASSERT_TRUE(opened.isOk()) << opened.status().message();
    auto value = opened->read(name);
    ASSERT_TRUE(value.isOk()) << value.status().message();
    auto source = *QuantizedCheckpoint::open(fixture("llama"));
    auto weight = *source.readAs(name, DType::kBF16);
    Tensor expected = *Tensor::create(DType::kBF16, weight.shape());
    ASSERT_EQ(numerics::fakeQuantizeMatrix(weight.as<uint16_t>(),
                                           weight.shape()[0], weight.shape()[1],
                                           {Kind::kInt4, name == kUp ? 16 : 32},
                                           expected.as<uint16_t>()),
              std::nullopt);
    EXPECT_TRUE(sameBytes(*value, expected)) << name;
  }
  Json &group(const std::string &name) {
    return config_["quantization_config"]["config_groups"][name];
  }
};

TEST_F(TwoGroups, EachGroupHasItsTargetsAndSize) {
  reads(kQ);
  reads(kUp);
  EXPECT_EQ(QuantizedCheckpoint::open(folder_)->schemes(),
            (std::vector<Scheme>{{Kind::kInt4, 16}, {Kind::kInt4, 32}}));
  EXPECT_TRUE(QuantizedCheckpoint::open(folder_)->warnings().empty());
  // A name is a closer match than an expression, and an expression a closer one
  // than a class.
  group("group_0")["targets"] = {"Linear"};
  reads(kUp);
  reads(kQ);
  group("group_1")["targets"] = {"re:.*mlp.*"};
  reads(kUp);
  // Modules that no group targets need no ignore list.
  group("group_0")["targets"] = {"re:.*layers\\.0\\.self_attn\\.q_proj"};
  group("group_1")["targets"] = {"re:.*layers\\.1\\.mlp\\.up_proj"};
  ignore() = nullptr;
  reads(kQ);
  reads(kUp);
  group("group_1")["format"] = "pack-quantized";
  config_["quantization_config"]["format"] = "mixed-precision";
  group("group_0")["format"] = "pack-quantized";
  reads(kUp);
}

TEST_F(TwoGroups, WhatCannotBeReadIsNamed) {
  group("group_1")["weights"]["num_bits"] = 8;
  refuses({kUp, "config_groups.group_1", "8 bits"});
  group("group_1")["weights"]["num_bits"] = 4;
  group("group_1")["targets"] = {"re:.*q_proj$", "model.layers.1.mlp.up_proj"};
  refuses({"model.layers.0.self_attn.q_proj", "group_0", "group_1", "differ"});
  group("group_1")["targets"] = {"model.layers.1.mlp.gate_proj"};
  refuses({"model.layers.1.mlp.up_proj", "no group targets it"});
  group("group_1")["targets"] = {"model.layers.1.mlp.up_proj",
                                 "model.layers.0.mlp.up_proj"};
  std::erase(ignored_, "model.layers.0.mlp.up_proj");
  ignore() = ignored_;
  refuses({"model.layers.0.mlp.up_proj", "config_groups.group_1",
           "neither packed nor on"});
}

// A group without a tensor changes no number. It may have unsupported
// properties, which a warning names.
TEST_F(TwoGroups, AGroupOfNothingIsAWarning) {
  group("group_2") = group("group_1");
  group("group_2")["targets"] = {"re:.*experts.*"};
  group("group_2")["weights"]["num_bits"] = 8;
  group("group_2")["input_activations"] = {{"num_bits", 8}};
  reads(kUp);
  auto warnings = QuantizedCheckpoint::open(folder_)->warnings();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("config_groups.group_2 targets no packed tensor"),
            std::string::npos)
      << warnings[0];
}

// An entry that fits no module has no effect. A warning suggests what it may
// have meant.
TEST_F(TwoGroups, EntriesOfNothingAreWarnings) {
  auto warningsAre = [&](std::vector<std::vector<const char *>> expected) {
    reads(kUp);
    auto warnings = QuantizedCheckpoint::open(folder_)->warnings();
    ASSERT_EQ(warnings.size(), expected.size())
        << (warnings.empty() ? "" : warnings.back());
    for (size_t i = 0; i < warnings.size(); ++i)
      for (const char *word : expected[i])
        EXPECT_NE(warnings[i].find(word), std::string::npos) << warnings[i];
  };
  auto ignored = ignored_;
  // Entries that tools write into every model's lists.
  for (const char *entry :
       {"lm_head", "re:.*lm_head", "re:.*mlp.gate$", "re:.*\\.mlp\\.gate$",
        "re:visual.*", "re:.*vision_tower.*", "re:.*shared_expert_gate$",
        "re:.*router", "Embedding", "LlamaRMSNorm", "model.layers.0.self_attn",
        "model.norm", "model.embed_tokens"})
    ignored.push_back(entry);
  ignore() = ignored;
  warningsAre({});
  ignored.push_back("re:.*nothing.*");
  ignored.push_back("model.layers.9.mlp.down_proj");
  ignored.push_back("re:.*mlp.gate_projs$");
  ignore() = ignored;
  group("group_1")["targets"] = {"model.layers.1.mlp.up_proj", "nothing.at.all",
                                 "Linear"};
  warningsAre({{"quantization_config.ignore: entry \"re:.*nothing.*\" matches "
                "no module"},
               {"\"model.layers.9.mlp.down_proj\"",
                "close names: model.layers.0.mlp.down_proj"},
               {"\"re:.*mlp.gate_projs$\"", "mlp.gate_proj"},
               {"config_groups.group_1.targets", "\"nothing.at.all\""}});
}

// None of these fields changes a stored number.
TEST_F(TwoGroups, FieldsThatChangeNoNumber) {
  Json good = config_;
  auto readsPatch = [&](const char *pointer, Json value) {
    SCOPED_TRACE(pointer + value.dump());
    config_ = good;
    config_["quantization_config"][Json::json_pointer(pointer)] =
        std::move(value);
    reads(kQ);
  };
  for (const char *group :
       {"/config_groups/group_0", "/config_groups/group_1"}) {
    std::string weights = std::string(group) + "/weights";
    for (Json order : {Json("weight"), Json("static"), Json("Weight"),
                       Json(false), Json(nullptr)})
      readsPatch((weights + "/actorder").c_str(), order);
    readsPatch((weights + "/observer").c_str(), "mse");
    readsPatch((weights + "/observer_kwargs").c_str(), {{"grid", 20}});
    readsPatch((weights + "/scale_dtype").c_str(), nullptr);
    readsPatch((weights + "/zp_dtype").c_str(), "torch.int8");
    readsPatch((weights + "/strategy").c_str(), "GROUP");
    // Follows from group_size.
    readsPatch((weights + "/strategy").c_str(), nullptr);
    readsPatch((std::string(group) + "/format").c_str(), nullptr);
    readsPatch((std::string(group) + "/input_activations").c_str(),
               Json::object());
    readsPatch((std::string(group) + "/output_activations").c_str(),
               Json::object());
  }
  readsPatch("/version", "0.12.2");
  readsPatch("/sparsity_config", Json::object());
  readsPatch("/sparsity_config",
             {{"format", "dense"}, {"ignore", Json::array()}});
  readsPatch("/transform_config", Json::object());
  readsPatch("/kv_cache_scheme", nullptr);
  readsPatch("/quantization_status", "frozen");
  readsPatch("/global_compression_ratio", 1.5);
  EXPECT_TRUE(QuantizedCheckpoint::open(folder_)->warnings().empty());
  readsPatch("/config_groups/group_0/weights/rounding_of_tomorrow", "up");
  auto warnings = QuantizedCheckpoint::open(folder_)->warnings();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("\"quantization_config.config_groups.group_0."
                             "weights.rounding_of_tomorrow\""),
            std::string::npos)
      << warnings[0];
  // The rule for every object of the file: an unknown field about mathematics
  // is refused.
  config_ = good;
  config_["quantization_config"]["config_groups"]["group_0"]["weights"]
         ["scale_multiplier"] = 2;
  refuses({"config_groups.group_0.weights.scale_multiplier",
           "changes the mathematics"});
}

TEST_F(TwoGroups, ChannelStrategies) {
  std::string folder = scratch_ / "channel";
  ASSERT_TRUE(
      writeQuantizedCheckpoint(fixture("llama"), folder, {Kind::kInt4, 0}, {kQ})
          .isOk());
  auto channel = *QuantizedCheckpoint::open(folder);
  Tensor expected = *channel.read(kQ);
  Json config = Json::parse(contentOf(folder + "/config.json"));
  Json &weights =
      config["quantization_config"]["config_groups"]["group_0"]["weights"];
  for (Json size : {Json(nullptr), Json(-1)})
    for (Json strategy : {Json("channel"), Json(nullptr)}) {
      weights["group_size"] = size;
      weights["strategy"] = strategy;
      putContent(folder + "/config.json", config.dump());
      auto opened = QuantizedCheckpoint::open(folder);
      if (size.is_null() && strategy.is_null()) {
        EXPECT_TRUE(
            fails(opened.status(), Code::kBadInput, {"strategy tensor"}));
        continue;
      }
      ASSERT_TRUE(opened.isOk()) << opened.status().message();
      EXPECT_TRUE(sameBytes(*opened->read(kQ), expected));
    }
}

// Older tools write zero points for symmetric tensors.
TEST_F(TwoGroups, ZeroPointsOfZero) {
  replace(kQ + "_zero_point", DType::kI8, {64, 2});
  std::memset(tensors_[kQ + "_zero_point"].data(), 0, 128);
  reads(kQ);
  tensors_[kQ + "_zero_point"].as<int8_t>()[77] = 1;
  refuses({kQ + "_zero_point", "asymmetric"});
  replace(kQ + "_zero_point", DType::kI32, {8, 2});
  std::memset(tensors_[kQ + "_zero_point"].data(), 0x88, 64);
  reads(kQ);
  tensors_[kQ + "_zero_point"].as<uint32_t>()[3] = 0x88887888;
  refuses({kQ + "_zero_point", "asymmetric"});
}

// Scales of another type T: a code q stands for T(q * scale).
TEST_F(TwoGroups, ScalesOfOtherTypes) {
  replace(kQ + "_scale", DType::kF16, {64, 2});
  auto *halves = tensors_[kQ + "_scale"].as<uint16_t>();
  for (int i = 0; i < 128; ++i)
    halves[i] =
        static_cast<uint16_t>(0x2401 + 7 * i); // eleven significant bits
  save();
  auto opened = QuantizedCheckpoint::open(folder_);
  ASSERT_TRUE(opened.isOk()) << opened.status().message();
  EXPECT_EQ(opened->info(kQ)->dtype, DType::kF16);
  ASSERT_EQ(opened->warnings().size(), 1u);
  EXPECT_NE(opened->warnings()[0].find("--dtype float32"), std::string::npos);
  Tensor value = *opened->read(kQ);
  Tensor wide = *opened->readAs(kQ, DType::kF32);
  Tensor slab = *opened->readSlab(kQ, Layout::kInterchange);
  const numerics::PackedLayout layout = *opened->packed(kQ);
  std::vector<int8_t> codes(64 * 64);
  numerics::unpackCodes(layout, 0, 64, tensors_[kQ + "_packed"].as<uint8_t>(),
                        codes.data());
  int64_t rounded = 0;
  for (int64_t i = 0; i < 64 * 64; ++i) {
    float scale = numerics::floatFromHalf(halves[i / 32]);
    float exact = static_cast<float>(codes[static_cast<size_t>(i)]) * scale;
    ASSERT_EQ(value.as<uint16_t>()[i], numerics::halfFromFloat(exact)) << i;
    ASSERT_EQ(wide.as<float>()[i],
              numerics::floatFromHalf(numerics::halfFromFloat(exact)))
        << "float32 holds it";
    rounded += wide.as<float>()[i] != exact;
  }
  EXPECT_GT(rounded, 0) << "the public tools round to float16, and so do we";
  for (int64_t i = 0; i < 128; ++i)
    ASSERT_EQ(numerics::loadScale(layout, slab.as<uint8_t>(), i),
              numerics::roundToBf16(numerics::floatFromHalf(halves[i])));
  EXPECT_EQ(std::memcmp(slab.data(), tensors_[kQ + "_packed"].data(),
                        static_cast<size_t>(layout.codeBytes())),
            0);
  halves[9] = 0xBC00;
  refusesToRead({kQ + "_scale", "index 9", "-1"});

  replace(kQ + "_scale", DType::kF32, {64, 2});
  for (int i = 0; i < 128; ++i)
    tensors_[kQ + "_scale"].as<float>()[i] =
        0.0123456789f + 0.001f * static_cast<float>(i);
  save();
  opened = QuantizedCheckpoint::open(folder_);
  ASSERT_TRUE(opened.isOk()) << opened.status().message();
  value = *opened->read(kQ);
  ASSERT_EQ(value.dtype(), DType::kF32);
  for (int64_t i = 0; i < 64 * 64; ++i)
    ASSERT_EQ(value.as<float>()[i],
              static_cast<float>(codes[static_cast<size_t>(i)]) *
                  tensors_[kQ + "_scale"].as<float>()[i / 32]);
}

// The convention compressed_tensors computes in the type of the file's weights,
// as the public tools do.
TEST(PackedOfOthers, WritingKeepsTheTypeOfTheWeights) {
  for (DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    Scratch scratch;
    std::string folder = copyOf(scratch, "llama");
    std::string packed = scratch / "packed";
    auto files = *Checkpoint::open(folder);
    std::vector<Tensor> tensors;
    for (const std::string &name : files.names()) {
      Tensor wide = *files.readAs(name, DType::kF32);
      for (int64_t i = 0; i < wide.elements(); ++i) // more bits than bf16 has
        wide.as<float>()[i] *= 1.0009765625f;
      tensors.push_back(*convert(wide, type));
    }
    std::vector<NamedTensor> named;
    for (size_t i = 0; i < tensors.size(); ++i)
      named.push_back({files.names()[i], tensors[i].view()});
    ASSERT_TRUE(writeSafetensors(folder + "/model.safetensors", named).isOk());

    Scheme theirs{Kind::kInt4, 32, Convention::kCompressedTensors};
    auto report = writeQuantizedCheckpoint(folder, packed, theirs, {kQ, kUp});
    ASSERT_TRUE(report.isOk()) << report.status().message();
    auto source = *QuantizedCheckpoint::open(folder);
    auto written = *QuantizedCheckpoint::open(packed);
    EXPECT_EQ(written.files().info(kQ + "_scale")->dtype, type);
    Tensor weight = *source.readAs(kQ, DType::kF32);
    Tensor value = *written.readAs(kQ, DType::kF32);
    auto arithmetic = type == DType::kBF16  ? numerics::WeightType::kBF16
                      : type == DType::kF16 ? numerics::WeightType::kF16
                                            : numerics::WeightType::kF32;
    for (int64_t begin = 0; begin < weight.elements(); begin += 32) {
      const float *x = weight.as<float>() + begin;
      float amax = 0;
      for (int i = 0; i < 32; ++i)
        amax = std::max(amax, std::fabs(x[i]));
      float scale = numerics::compressedTensorsScale(amax, arithmetic);
      for (int i = 0; i < 32; ++i)
        ASSERT_EQ(value.as<float>()[begin + i],
                  numerics::compressedTensorsValue(
                      numerics::compressedTensorsCode(x[i], scale, arithmetic),
                      scale, arithmetic))
            << nameOf(type) << " at " << begin + i;
    }
    auto verified = verifyQuantizedCheckpoint(folder, packed,
                                              Convention::kCompressedTensors);
    ASSERT_TRUE(verified.isOk()) << verified.status().message();
    EXPECT_TRUE(verified->isEqual()) << verified->firstDifference;
    std::printf("%s: %lld codes and %lld scales equal\n", nameOf(type),
                static_cast<long long>(verified->codes),
                static_cast<long long>(verified->scales));
  }
}

} // namespace
