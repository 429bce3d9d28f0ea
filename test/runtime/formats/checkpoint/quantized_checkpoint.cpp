// Packed checkpoints are written, read, compared and written again byte for
// byte. The tests cover every way in which one can be wrong.
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "test/runtime/formats/checkpoint/damaged_checkpoint.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>

using namespace nibble;
using nibble::testing::checkpointFixtures;
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
namespace fs = std::filesystem;

namespace {

const Scheme kGroups32{Kind::kInt4, 32};

// Every linear in the decoder layers.
std::vector<std::string> linears(const std::string &folder) {
  auto config = ModelConfig::read(folder);
  EXPECT_TRUE(config.isOk()) << config.status().message();
  std::vector<std::string> names;
  for (const ExpectedTensor &tensor : expectedTensors(*config))
    if (tensor.isLinear && tensor.name != "lm_head.weight")
      names.push_back(tensor.name);
  return names;
}

std::map<std::string, std::string> contents(const std::string &folder) {
  std::map<std::string, std::string> files;
  for (const auto &entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = contentOf(entry.path().string());
  return files;
}

class Fixture : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(QuantizedCheckpoint, Fixture,
                         ::testing::ValuesIn(checkpointFixtures()),
                         [](const auto &info) { return info.param; });

TEST_P(Fixture, RoundTrip) {
  Scratch scratch;
  std::string source = copyOf(scratch, GetParam());
  std::string packed = scratch / "packed";
  std::string again = scratch / "again";
  std::string plain = scratch / "plain";
  std::string third = scratch / "third";
  putContent(source + "/tokenizer.json", "{}");
  putContent(source + "/pytorch_model.bin", "old");
  for (Scheme scheme :
       {kGroups32, Scheme{Kind::kInt4, 16}, Scheme{Kind::kInt4, 0}}) {
    auto names = linears(source);
    auto report = writeQuantizedCheckpoint(source, packed, scheme, names);
    ASSERT_TRUE(report.isOk()) << report.status().message();
    EXPECT_EQ(report->packedTensors, static_cast<int64_t>(names.size()));
    EXPECT_EQ(contentOf(packed + "/tokenizer.json"), "{}")
        << "other files are copied";
    EXPECT_FALSE(fs::exists(packed + "/pytorch_model.bin"))
        << "other weights are not";
    EXPECT_FALSE(fs::exists(packed + "/expected.safetensors"));

    // The model reads as before, and its values lie exactly on the grid.
    auto config = ModelConfig::read(packed);
    ASSERT_TRUE(config.isOk()) << config.status().message();
    auto before = QuantizedCheckpoint::open(source);
    auto after = QuantizedCheckpoint::open(packed);
    ASSERT_TRUE(after.isOk()) << after.status().message();
    EXPECT_EQ(after->schemes(), std::vector<Scheme>{scheme});
    auto weights = checkWeights(*config, *after);
    ASSERT_TRUE(weights.isOk()) << weights.status().message();
    EXPECT_TRUE(weights->unused.empty());
    EXPECT_EQ(after->names(), before->names());
    for (const std::string &name : names) {
      auto weight = *before->readAs(name, DType::kBF16);
      int64_t n = weight.shape()[0];
      int64_t k = weight.shape()[1];
      std::vector<uint16_t> expected(static_cast<size_t>(n * k));
      ASSERT_EQ(numerics::fakeQuantizeMatrix(weight.as<uint16_t>(), n, k,
                                             scheme, expected.data()),
                std::nullopt);
      auto read = after->read(name);
      ASSERT_TRUE(read.isOk()) << read.status().message();
      ASSERT_EQ(std::memcmp(read->data(), expected.data(), expected.size() * 2),
                0)
          << name;
      // In the host layout it equals the slab from quantizing into that layout.
      numerics::PackedLayout host{n, k, scheme, Layout::kHost};
      auto slab = *after->readSlab(name, Layout::kHost);
      auto direct = *before->quantize(name, host);
      ASSERT_EQ(slab.bytes(), direct.bytes());
      ASSERT_EQ(std::memcmp(slab.data(), direct.data(),
                            static_cast<size_t>(slab.bytes())),
                0)
          << name;
    }

    auto verified = verifyQuantizedCheckpoint(source, packed);
    ASSERT_TRUE(verified.isOk()) << verified.status().message();
    EXPECT_TRUE(verified->isEqual()) << verified->firstDifference;
    EXPECT_EQ(verified->packedTensors, static_cast<int64_t>(names.size()));
    EXPECT_GT(verified->codes, 20000);

    // N6: importing it and quantizing again gives the same bytes in every file,
    // by value and by way of plain bf16.
    ASSERT_TRUE(writeQuantizedCheckpoint(packed, again, scheme, names).isOk());
    EXPECT_EQ(contents(packed), contents(again));
    ASSERT_TRUE(writeQuantizedCheckpoint(packed, plain, scheme, {}).isOk());
    EXPECT_FALSE(ModelConfig::read(plain)->quantization);
    ASSERT_TRUE(writeQuantizedCheckpoint(plain, third, scheme, names).isOk());
    EXPECT_EQ(contents(packed), contents(third));
    std::printf("%s %s: %lld codes and %lld scales equal, %lld tensors kept, "
                "%.2f of the bytes\n",
                GetParam().c_str(), numerics::toString(scheme).c_str(),
                static_cast<long long>(verified->codes),
                static_cast<long long>(verified->scales),
                static_cast<long long>(verified->keptTensors),
                static_cast<double>(report->bytesWritten) /
                    static_cast<double>(report->bytesRead));
    for (const std::string &folder : {packed, again, plain, third})
      fs::remove_all(folder);
  }
}

TEST(QuantizedCheckpoint, ConfigIsWhatServingEnginesRead) {
  Scratch scratch;
  auto names = linears(fixture("llama"));
  std::erase(names, kQ);
  auto report = writeQuantizedCheckpoint(fixture("llama"), scratch / "packed",
                                         kGroups32, names);
  ASSERT_TRUE(report.isOk());
  Json config = Json::parse(contentOf(scratch / "packed/config.json"));
  EXPECT_EQ(config["quantization_config"], Json::parse(R"({
    "quant_method":"compressed-tensors", "format":"pack-quantized", "quantization_status":"compressed", "kv_cache_scheme":null,
    "global_compression_ratio":null, "ignore":["lm_head","model.embed_tokens","model.layers.0.self_attn.q_proj"],
    "config_groups":{"group_0":{"targets":["Linear"],"input_activations":null,"output_activations":null,
      "weights":{"num_bits":4,"type":"int","symmetric":true,"strategy":"group","group_size":32,"dynamic":false,
                 "actorder":null,"block_structure":null,"observer":"minmax","observer_kwargs":{}}}}})"));
  config.erase("quantization_config");
  EXPECT_EQ(config, Json::parse(contentOf(fixture("llama") + "/config.json")))
      << "nothing else changed";
  bool isWarned = false;
  for (const std::string &warning : report->warnings)
    isWarned |= warning.find("q_proj") != std::string::npos &&
                warning.find("fuse") != std::string::npos;
  EXPECT_TRUE(isWarned) << "k_proj is packed and q_proj is not";

  auto file = SafetensorsFile::open(scratch / "packed/model.safetensors");
  ASSERT_TRUE(file.isOk());
  const std::string name = "model.layers.0.mlp.down_proj.weight";
  EXPECT_EQ(file->find(name + "_packed")->dtype, DType::kI32);
  EXPECT_EQ(file->find(name + "_packed")->shape, (Shape{64, 12}));
  EXPECT_EQ(file->find(name + "_scale")->dtype, DType::kBF16);
  EXPECT_EQ(file->find(name + "_scale")->shape, (Shape{64, 3}));
  EXPECT_EQ(file->find(name + "_shape")->dtype, DType::kI64);
  EXPECT_EQ(file->find(name), nullptr);
}

TEST(QuantizedCheckpoint, TiedHeadIsIgnoredToo) {
  Scratch scratch;
  ASSERT_TRUE(writeQuantizedCheckpoint(fixture("qwen2"), scratch / "packed",
                                       kGroups32, linears(fixture("qwen2")))
                  .isOk());
  Json config = Json::parse(contentOf(scratch / "packed/config.json"));
  EXPECT_EQ(config["quantization_config"]["ignore"],
            Json::parse(R"(["lm_head","model.embed_tokens"])"));
}

TEST(QuantizedCheckpoint, WhatCannotBeWritten) {
  Scratch scratch;
  std::string target = scratch / "packed";
  auto refuses = [&](const std::string &source, Scheme scheme,
                     std::vector<std::string> names, Code code,
                     std::initializer_list<std::string> words) {
    EXPECT_TRUE(
        fails(writeQuantizedCheckpoint(source, target, scheme, names).status(),
              code, words));
    EXPECT_TRUE(scratch.names().empty() ||
                scratch.names() == std::vector<std::string>{"llama"})
        << "nothing is left behind";
  };
  refuses(fixture("llama"), kGroups32, {"absent.weight"}, Code::kUsage,
          {"absent.weight", "none of that name"});
  refuses(fixture("llama"), kGroups32, {"model.norm.weight"}, Code::kUsage,
          {"model.norm.weight", "[64]"});
  refuses(fixture("llama"), kGroups32, {"model.embed_tokens.weight"},
          Code::kUsage, {"embed_tokens", "embedding"});
  refuses(fixture("llama"), {Kind::kInt4, 128}, {kQ}, Code::kBadInput,
          {kQ, "K = 64", "group_size = 128"});
  refuses(fixture("llama"), {Kind::kInt4, 24}, {kQ}, Code::kUsage, {kQ, "24"});
  refuses(fixture("llama"), {Kind::kInt8, 32}, {kQ}, Code::kUsage,
          {"int8", "int4"});
  refuses(scratch / "absent", kGroups32, {kQ}, Code::kBadInput, {"absent"});

  // N7, in a copy with one infinity.
  std::string folder = copyOf(scratch, "llama");
  auto file = SafetensorsFile::open(folder + "/model.safetensors");
  const TensorInfo *info = file->find(kQ);
  std::string bytes = contentOf(folder + "/model.safetensors");
  uint64_t header;
  std::memcpy(&header, bytes.data(), 8);
  uint16_t infinity = 0x7F80;
  std::memcpy(bytes.data() + 8 + header + info->begin + 2 * (3 * 64 + 5),
              &infinity, 2);
  putContent(folder + "/model.safetensors", bytes);
  refuses(folder, kGroups32, {kQ}, Code::kBadInput,
          {"N7", kQ, "inf", "index 197", "row 3, column 5"});

  EXPECT_TRUE(
      fails(writeQuantizedCheckpoint(fixture("llama"), folder, kGroups32, {kQ})
                .status(),
            Code::kUsage, {folder, "already"}));
  EXPECT_TRUE(fails(writeQuantizedCheckpoint(fixture("llama"), "/proc/packed",
                                             kGroups32, {kQ})
                        .status(),
                    Code::kEnvironment, {"/proc/packed"}));
}

TEST(QuantizedCheckpoint, FullDiskLeavesNothing) {
  Scratch scratch;
  auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old, low;
  getrlimit(RLIMIT_FSIZE, &old);
  low = old;
  low.rlim_cur = 20 << 10;
  setrlimit(RLIMIT_FSIZE, &low);
  Status status = writeQuantizedCheckpoint(fixture("llama"), scratch / "packed",
                                           kGroups32, {kQ})
                      .status();
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  EXPECT_TRUE(fails(status, Code::kEnvironment, {"model.safetensors"}));
  EXPECT_TRUE(scratch.names().empty());
}

TEST_F(Damaged, Parts) {
  auto scale = std::move(tensors_[kQ + "_scale"]);
  tensors_.erase(kQ + "_scale");
  refuses({kQ, "_scale is missing"});
  tensors_[kQ + "_scale"] = std::move(scale);
  auto shape = std::move(tensors_[kQ + "_shape"]);
  tensors_.erase(kQ + "_shape");
  refuses({kQ, "_shape is missing"});
  tensors_[kQ + "_shape"] = std::move(shape);
  replace(kQ, DType::kBF16, {64, 64});
  refuses({kQ, "unpacked"});
  tensors_.erase(kQ);
  replace(kQ + "_zero_point", DType::kI32, {8, 2});
  refuses({"_zero_point", "zero points"});
  tensors_.erase(kQ + "_zero_point");
  replace(kQ + "_g_idx", DType::kI32, {64});
  refuses({"_g_idx"});
  tensors_.erase(kQ + "_g_idx");
  tensors_.erase(kQ + "_packed");
  refuses({kQ, "_packed beside it"});
}

TEST_F(Damaged, Shapes) {
  auto *extents = tensors_[kQ + "_shape"].as<int64_t>();
  extents[1] = 96; // weight_shape is wrong
  refuses({kQ, "[64, 12]"});
  extents[1] = 60;
  refuses({kQ, "N2", "K = 60"});
  extents[1] = 0;
  refuses({kQ, "positive"});
  extents[1] = INT64_MAX;
  refuses({kQ});
  extents[1] = 64;
  extents[0] = -64;
  refuses({kQ, "positive"});
  extents[0] = 64;
  weights()["group_size"] = 16;
  refuses({kQ, "[64, 2]", "[64, 4]"});
  weights()["group_size"] = 24;
  refuses({"24"});
  weights()["group_size"] = 32;
  replace(kQ + "_packed", DType::kU32, {64, 8});
  refuses({kQ, "U32"});
  replace(kQ + "_packed", DType::kI32, {64, 8});
  replace(kQ + "_shape", DType::kF32, {2});
  refuses({kQ, "weight_shape"});
  replace(kQ + "_shape", DType::kI32, {2}); // as other writers do
  tensors_[kQ + "_shape"].as<int32_t>()[0] =
      tensors_[kQ + "_shape"].as<int32_t>()[1] = 64;
  save();
  EXPECT_TRUE(QuantizedCheckpoint::open(folder_).isOk());
}

TEST_F(Damaged, Scales) {
  auto *scales = tensors_[kQ + "_scale"].as<uint16_t>();
  uint16_t good = scales[5];
  for (auto [bits, word] : {std::pair<uint16_t, const char *>{0xBF80, "-1"},
                            {0x7FC0, "nan"},
                            {0x7F80, "inf"},
                            {0x8000, "-0"}}) {
    scales[5] = bits;
    refusesToRead({kQ + "_scale", "index 5", word});
  }
  scales[5] = 0;
  refusesToRead({kQ + "_scale", "index 5", "scale 0"});
  // A group of zeros has scale 0.
  auto *words = tensors_[kQ + "_packed"].as<uint32_t>();
  // Row 2, second group.
  for (int i = 0; i < 4; ++i)
    words[2 * 8 + 4 + i] = 0x88888888u;
  save();
  auto opened = QuantizedCheckpoint::open(folder_);
  ASSERT_TRUE(opened.isOk());
  EXPECT_TRUE(opened->read(kQ).isOk());
  scales[5] = good;
}

TEST_F(Damaged, IgnoreList) {
  Json list = ignore();
  ignore().push_back("model.layers.0.self_attn.q_proj");
  refuses({"self_attn.q_proj", "on the ignore list"});
  ignore() = list;
  ignore().push_back("re:.*self_attn.*");
  refuses({"self_attn.q_proj", "on the ignore list"});
  ignore() = {"lm_head"};
  refuses({"neither packed nor on"});
  ignore() = {"lm_head", "re:.*(mlp|layers.1|k_proj|v_proj|o_proj).*"};
  save();
  EXPECT_TRUE(QuantizedCheckpoint::open(folder_).isOk())
      << "regular expressions are read";
  ignore() = {"lm_head", "re:self_attn.k_proj"};
  refuses({"neither packed nor on"}); // anchored at the start
  ignore() = {"lm_head", "re:(unclosed"};
  refuses({"(unclosed", "regular expression"});
  ignore() = {"lm_head", "re:(.*)*(.*)*(.*)*(.*)*x"};
  refuses({"regular expression"});
  ignore() = {5};
  refuses({"ignore"});
  ignore() = "lm_head";
  refuses({"ignore"});
}

TEST_F(Damaged, PackedRouter) {
  for (const char *part : {"_packed", "_scale", "_shape"}) {
    auto moved = std::move(tensors_[kQ + part]);
    tensors_.erase(kQ + part);
    tensors_[std::string("model.layers.0.mlp.gate.weight") + part] =
        std::move(moved);
  }
  refuses({"router", "model.layers.0.mlp.gate"});
}

TEST_F(Damaged, OtherQuantizations) {
  Json good = config_;
  auto refusesPatch = [&](const char *pointer, Json value, const char *word) {
    config_ = good;
    config_["quantization_config"][Json::json_pointer(pointer)] =
        std::move(value);
    refuses({"quantization_config", word});
  };
  refusesPatch("/quant_method", "gptq", "gptq");
  refusesPatch("/format", "mxfp4-pack-quantized", "mxfp4");
  refusesPatch("/kv_cache_scheme", {{"num_bits", 8}}, "cache");
  refusesPatch("/config_groups/group_1", Json::object(),
               "group_1 has no targets");
  refusesPatch("/config_groups/group_0/targets", nullptr, "no targets");
  refusesPatch("/config_groups/group_0/targets", "Linear",
               "targets is no list");
  refusesPatch("/config_groups/group_0/input_activations", {{"num_bits", 8}},
               "activations");
  refusesPatch("/config_groups/group_0/weights/num_bits", 8, "8 bits");
  refusesPatch("/config_groups/group_0/weights/symmetric", false, "asymmetric");
  refusesPatch("/config_groups/group_0/weights/type", "float", "float");
  refusesPatch("/config_groups/group_0/weights/strategy", "tensor", "tensor");
  for (const char *order : {"group", "dynamic", "GROUP"})
    refusesPatch("/config_groups/group_0/weights/actorder", order, "actorder");
  refusesPatch("/config_groups/group_0/weights/actorder", true, "actorder");
  refusesPatch("/config_groups/group_0/weights/dynamic", true, "dynamic");
  refusesPatch("/config_groups/group_0/weights/block_structure", {128, 128},
               "block_structure");
  refusesPatch("/config_groups/group_0/weights/group_size", -1,
               "group_size -1");
  refusesPatch("/config_groups/group_0/weights/group_size", 8,
               "group_size is 16, 32, 64, 128");
  refusesPatch("/config_groups/group_0/format", "int-quantized",
               "int-quantized");
  refusesPatch("/config_groups/group_0", {"Linear"}, "W4A16");
  refusesPatch("/sparsity_config", {{"format", "sparse-24-bitmask"}},
               "sparse-24-bitmask");
  refusesPatch("/transform_config",
               {{"config_groups", {{"R1", Json::object()}}}},
               "transform_config");
  refusesPatch("/config_groups/group_0/weights", nullptr, "weights");
  refusesPatch("/config_groups", nullptr, "one group");
  config_ = good;
  config_.erase("quantization_config");
  refuses({kQ, "no quantization_config"});
}

TEST_F(Damaged, VerifyFindsEveryKindOfDifference) {
  auto verify = [&] {
    save();
    auto report = verifyQuantizedCheckpoint(fixture("llama"), folder_);
    EXPECT_TRUE(report.isOk()) << report.status().message();
    return *report;
  };
  EXPECT_TRUE(verify().isEqual());
  auto *words = tensors_[kQ + "_packed"].as<uint32_t>();
  words[8] ^= 1u << 4; // row 1, column 1
  VerifyReport report = verify();
  EXPECT_EQ(report.differingCodes, 1);
  EXPECT_NE(report.firstDifference.find("row 1, column 1"), std::string::npos)
      << report.firstDifference;
  words[8] ^= 1u << 4;
  tensors_[kQ + "_scale"].as<uint16_t>()[3] += 1;
  report = verify();
  EXPECT_EQ(report.differingScales, 1);
  EXPECT_EQ(report.differingCodes, 0);
  tensors_[kQ + "_scale"].as<uint16_t>()[3] -= 1;
  tensors_["model.norm.weight"].as<uint16_t>()[0] ^= 1;
  report = verify();
  EXPECT_EQ(report.differingTensors, 1);
  EXPECT_NE(report.firstDifference.find("model.norm.weight"),
            std::string::npos);
  tensors_["model.norm.weight"].as<uint16_t>()[0] ^= 1;
  tensors_.erase("model.norm.weight");
  EXPECT_FALSE(verify().isEqual());
}

TEST(QuantizedCheckpoint, ConventionsOfOthersRoundTrip) {
  Scratch scratch;
  for (Convention convention :
       {Convention::kCompressedTensors, Convention::kSlime}) {
    std::string packed = scratch / "packed";
    ASSERT_TRUE(writeQuantizedCheckpoint(fixture("llama"), packed,
                                         {Kind::kInt4, 32, convention}, {kQ})
                    .isOk());
    auto same = verifyQuantizedCheckpoint(fixture("llama"), packed, convention);
    ASSERT_TRUE(same.isOk());
    EXPECT_TRUE(same->isEqual()) << same->firstDifference;
    auto other = verifyQuantizedCheckpoint(fixture("llama"), packed);
    ASSERT_TRUE(other.isOk());
    EXPECT_FALSE(other->isEqual()) << "another convention, other numbers";
    fs::remove_all(packed);
  }
}

} // namespace
