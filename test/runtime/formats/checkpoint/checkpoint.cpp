// Folders of weights: the rules of the index, weights compared with the
// configuration, conversions.
#include "runtime/formats/checkpoint/checkpoint.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "test/runtime/formats/scratch.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>

using namespace nibble;
using nibble::testing::checkpointFixtures;
using nibble::testing::contentOf;
using nibble::testing::copyOf;
using nibble::testing::fails;
using nibble::testing::fixture;
using nibble::testing::putContent;
using nibble::testing::Scratch;
namespace fs = std::filesystem;

namespace {

const std::string kShard1 = "model-00001-of-00003.safetensors",
                  kShard2 = "model-00002-of-00003.safetensors",
                  kShard3 = "model-00003-of-00003.safetensors";

void write(const std::string &path, std::initializer_list<const char *> names) {
  std::vector<TensorSpec> specs;
  for (const char *name : names)
    specs.push_back({name, DType::kF32, {2}});
  ASSERT_TRUE(writeSafetensors(path, specs, [](const TensorSpec &spec) {
                return Tensor::create(spec.dtype, spec.shape);
              }).isOk());
}

// Opens a fresh copy of the sharded fixture after `damage(folder, index)`.
template <typename Damage> Status openDamaged(Damage damage) {
  Scratch scratch;
  std::string folder = copyOf(scratch, "qwen3");
  Json index = Json::parse(contentOf(folder + "/" + kIndexFile));
  damage(folder, index);
  putContent(folder + "/" + kIndexFile, index.dump());
  return Checkpoint::open(folder).status();
}

TEST(Checkpoint, ReadsShardsAndSingleFiles) {
  auto sharded = Checkpoint::open(fixture("qwen3"));
  ASSERT_TRUE(sharded.isOk()) << sharded.status().message();
  EXPECT_TRUE(sharded->hasIndex());
  EXPECT_EQ(sharded->files(),
            (std::vector<std::string>{kShard1, kShard2, kShard3}));
  EXPECT_EQ(sharded->names().size(), 25u);
  EXPECT_TRUE(sharded->warnings().empty());
  EXPECT_EQ(sharded->fileOf("lm_head.weight"), kShard3);
  EXPECT_EQ(sharded->fileOf("nothing"), "");
  for (const std::string &name : sharded->names()) {
    auto tensor = sharded->read(name);
    ASSERT_TRUE(tensor.isOk());
    EXPECT_EQ(tensor->shape(), sharded->info(name)->shape);
    WeightScan scan = scanWeights(*tensor);
    EXPECT_EQ(scan.nans + scan.infinities, 0);
  }
  EXPECT_TRUE(fails(sharded->read("nothing").status(), Code::kBadInput,
                    {"nothing", "missing"}));
  auto single = Checkpoint::open(fixture("llama"));
  ASSERT_TRUE(single.isOk());
  EXPECT_FALSE(single->hasIndex());
  EXPECT_EQ(single->files(), std::vector<std::string>{kSingleFile});
}

TEST(Checkpoint, IndexWinsWhenBothExist) {
  Scratch scratch;
  std::string folder = copyOf(scratch, "qwen3");
  write(folder + "/" + kSingleFile, {"other"});
  auto opened = Checkpoint::open(folder);
  ASSERT_TRUE(opened.isOk());
  EXPECT_EQ(opened->info("other"), nullptr);
}

TEST(Checkpoint, IndexRules) {
  EXPECT_TRUE(openDamaged([](auto &, auto &) {}).isOk());
  auto refuses = [](auto damage, std::initializer_list<std::string> words) {
    EXPECT_TRUE(fails(openDamaged(damage), Code::kBadInput, words));
  };
  refuses([](auto &folder, auto &) { fs::remove(folder + "/" + kShard2); },
          {kShard2, "missing"});
  refuses([](auto &, auto &index) { index["weight_map"]["ghost"] = kShard1; },
          {"ghost", kShard1});
  refuses(
      [](auto &, auto &index) { index["weight_map"].erase("lm_head.weight"); },
      {"lm_head.weight", "not in weight_map"});
  refuses([](auto &,
             auto &index) { index["weight_map"]["lm_head.weight"] = kShard1; },
          {"lm_head.weight", kShard1});
  for (const char *escape :
       {"../outside.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".",
        "", "a\nb", "./model.safetensors"})
    refuses(
        [&](auto &, auto &index) {
          index["weight_map"]["lm_head.weight"] = escape;
        },
        {"lm_head.weight", "plain file name"});
  refuses(
      [](auto &, auto &index) { index["weight_map"]["lm_head.weight"] = 5; },
      {"lm_head.weight", "plain file name"});
  refuses([](auto &, auto &index) { index.erase("weight_map"); },
          {"weight_map"});
  refuses([](auto &, auto &index) { index["weight_map"] = Json::array(); },
          {"weight_map"});
  refuses([](auto &, auto &index) { index["weight_map"] = Json::object(); },
          {"weight_map"});
  refuses([](auto &, auto &index) { index = Json::array(); }, {"weight_map"});
  refuses([](auto &folder, auto &) { putContent(folder + "/" + kShard1, ""); },
          {kShard1, "HeaderTooSmall"});
  refuses([](auto &folder,
             auto &) { fs::resize_file(folder + "/" + kShard3, 60000); },
          {kShard3, "MetadataIncompleteBuffer"});
  // Shards of different models, and a tensor in two shards.
  refuses([](auto &folder,
             auto &) { write(folder + "/" + kShard3, {"other.weight"}); },
          {"different models"});
  refuses(
      [](auto &folder, auto &) {
        fs::copy_file(folder + "/" + kShard1, folder + "/" + kShard2,
                      fs::copy_options::overwrite_existing);
      },
      {kShard1, kShard2, "remove one"});
  // Links that are circular, dangling, or leave the folder.
  auto link = [](const std::string &target) {
    return [target](auto &folder, auto &) {
      fs::remove(folder + "/" + kShard3);
      fs::create_symlink(target, folder + "/" + kShard3);
    };
  };
  refuses(link(kShard3), {kShard3, "link"});
  refuses(link("nowhere"), {kShard3, "link"});
  refuses(link(fixture("qwen3") + "/" + kShard3), {kShard3, "link"});
  EXPECT_TRUE(openDamaged([](auto &folder, auto &) {
                fs::rename(folder + "/" + kShard3, folder + "/elsewhere");
                fs::create_symlink("elsewhere", folder + "/" + kShard3);
              }).isOk())
      << "a link inside the folder is fine";
}

TEST(Checkpoint, DuplicateMappingIsRefused) {
  Scratch scratch;
  std::string folder = copyOf(scratch, "qwen3");
  std::string text = contentOf(folder + "/" + kIndexFile);
  std::string entry = "\"lm_head.weight\": \"" + kShard3 + "\",";
  size_t at = text.find(entry);
  ASSERT_NE(at, std::string::npos);
  putContent(folder + "/" + kIndexFile, text.insert(at, entry));
  EXPECT_TRUE(fails(Checkpoint::open(folder).status(), Code::kBadInput,
                    {"lm_head.weight", "twice"}));
}

TEST(Checkpoint, HuggingFaceCacheLinksAreFollowed) {
  Scratch scratch;
  fs::create_directories(scratch / "models--x/snapshots/abc");
  fs::create_directories(scratch / "models--x/blobs");
  for (const std::string &name :
       {kShard1, kShard2, kShard3, std::string(kIndexFile)}) {
    fs::copy_file(fixture("qwen3") + "/" + name,
                  scratch / ("models--x/blobs/" + name));
    fs::create_symlink("../../blobs/" + name,
                       scratch / ("models--x/snapshots/abc/" + name));
  }
  auto opened = Checkpoint::open(scratch / "models--x/snapshots/abc");
  EXPECT_TRUE(opened.isOk()) << opened.status().message();
}

TEST(Checkpoint, WrongTotalSizeIsAWarning) {
  Scratch scratch;
  std::string folder = copyOf(scratch, "qwen3");
  Json index = Json::parse(contentOf(folder + "/" + kIndexFile));
  index["metadata"]["total_size"] = 25;
  putContent(folder + "/" + kIndexFile, index.dump());
  auto opened = Checkpoint::open(folder);
  ASSERT_TRUE(opened.isOk());
  ASSERT_EQ(opened->warnings().size(), 1u);
  EXPECT_NE(opened->warnings()[0].find("total_size"), std::string::npos);
}

TEST(Checkpoint, NoWeights) {
  Scratch scratch;
  EXPECT_TRUE(fails(Checkpoint::open(scratch.path()).status(), Code::kBadInput,
                    {"model.safetensors"}));
  EXPECT_TRUE(fails(Checkpoint::open(scratch / "absent").status(),
                    Code::kBadInput, {"absent"}));
}

TEST(Convert, EveryHalfAndEveryBf16) {
  auto half = *Tensor::create(DType::kF16, {65536});
  auto brain = *Tensor::create(DType::kBF16, {65536});
  for (int i = 0; i < 65536; ++i)
    half.as<uint16_t>()[i] = brain.as<uint16_t>()[i] = static_cast<uint16_t>(i);
  auto wide = convert(half, DType::kF32);
  ASSERT_TRUE(wide.isOk());
  int count = 0;
  for (int i = 0; i < 65536; ++i) {
    float value = wide->as<float>()[i];
    int exponent = i >> 10 & 31;
    int mantissa = i & 1023;
    double magnitude = exponent == 0 ? std::ldexp(mantissa, -24)
                       : exponent == 31
                           ? (mantissa ? NAN : INFINITY)
                           : std::ldexp(1024 + mantissa, exponent - 25);
    if (std::isnan(magnitude))
      EXPECT_TRUE(std::isnan(value));
    else
      ASSERT_EQ(value, std::copysign(magnitude, i & 0x8000 ? -1.0 : 1.0)) << i;
    ++count;
  }
  std::printf("%d halves widened exactly\n", count);
  auto same = convert(brain, DType::kBF16);
  ASSERT_TRUE(same.isOk());
  EXPECT_EQ(same->as<uint16_t>()[0x3F81], 0x3F81);
  EXPECT_TRUE(
      fails(convert(*Tensor::create(DType::kI32, {1}), DType::kF32).status(),
            Code::kUsage, {"I32"}));
  EXPECT_TRUE(fails(convert(brain, DType::kI8).status(), Code::kUsage, {"I8"}));
}

TEST(Convert, ScanCounts) {
  auto tensor = *Tensor::create(DType::kF32, {6});
  const float values[] = {1.0f, 1e-40f, INFINITY, NAN, -INFINITY, 0.0f};
  std::memcpy(tensor.data(), values, sizeof values);
  WeightScan scan = scanWeights(tensor);
  EXPECT_EQ(scan.nans, 1);
  EXPECT_EQ(scan.infinities, 2);
  EXPECT_EQ(scan.denormals, 1);
  EXPECT_EQ(scan.firstNotFinite, 2);
}

TEST(ModelWeights, FixturesHaveExactlyTheirTensors) {
  for (const std::string &name : checkpointFixtures()) {
    auto config = ModelConfig::read(fixture(name));
    auto checkpoint = QuantizedCheckpoint::open(fixture(name));
    ASSERT_TRUE(config.isOk() && checkpoint.isOk());
    auto report = checkWeights(*config, *checkpoint);
    ASSERT_TRUE(report.isOk()) << report.status().message();
    EXPECT_TRUE(report->unused.empty()) << report->unused[0];
    EXPECT_EQ(expectedTensors(*config).size(), checkpoint->names().size());
    std::printf("%s: %zu tensors as expected\n", name.c_str(),
                checkpoint->names().size());
  }
}

// A head beside a tied embedding must repeat it. Rope tables of old checkpoints
// are ignored. No other additional tensor is allowed.
TEST(ModelWeights, WhatMayStandBeside) {
  Scratch scratch;
  std::string folder = copyOf(scratch, "qwen2");
  auto config = ModelConfig::read(folder);
  ASSERT_TRUE(config.isOk());
  auto add = [&](const std::string &name, Tensor tensor) {
    auto checkpoint = Checkpoint::open(fixture("qwen2"));
    std::vector<Tensor> tensors;
    std::vector<NamedTensor> named = {{name, tensor.view()}};
    for (const std::string &other : checkpoint->names()) {
      tensors.push_back(*checkpoint->read(other));
      named.push_back({other, tensors.back().view()});
    }
    ASSERT_TRUE(writeSafetensors(folder + "/" + kSingleFile, named).isOk());
  };
  auto embedding = [] {
    return *Checkpoint::open(fixture("qwen2"))
                ->read("model.embed_tokens.weight");
  };
  add("lm_head.weight", embedding());
  auto report = checkWeights(*config, *QuantizedCheckpoint::open(folder));
  ASSERT_TRUE(report.isOk()) << report.status().message();
  EXPECT_EQ(report->unused, std::vector<std::string>{"lm_head.weight"});
  EXPECT_EQ(report->warnings.size(), 1u);
  Tensor other = embedding();
  other.as<uint16_t>()[7] ^= 1;
  add("lm_head.weight", std::move(other));
  EXPECT_TRUE(
      fails(checkWeights(*config, *QuantizedCheckpoint::open(folder)).status(),
            Code::kBadInput, {"lm_head.weight", "differs"}));
  add("model.layers.0.self_attn.rotary_emb.inv_freq",
      *Tensor::create(DType::kF32, {8}));
  report = checkWeights(*config, *QuantizedCheckpoint::open(folder));
  ASSERT_TRUE(report.isOk()) << report.status().message();
  EXPECT_TRUE(report->warnings.empty());
  add("model.embed_tokens.extra", *Tensor::create(DType::kI8, {8}));
  EXPECT_TRUE(
      fails(checkWeights(*config, *QuantizedCheckpoint::open(folder)).status(),
            Code::kBadInput, {"embed_tokens.extra"}));
}

using NameChange = std::function<std::string(std::string)>;

// The tensors of a fixture under other names, in one file. A name that becomes
// empty is left out.
void writeRenamed(const std::string &from, const std::string &folder,
                  const NameChange &rename) {
  auto checkpoint = Checkpoint::open(from);
  ASSERT_TRUE(checkpoint.isOk());
  std::vector<Tensor> tensors;
  std::vector<NamedTensor> named;
  for (const std::string &name : checkpoint->names()) {
    std::string changed = rename(name);
    if (changed.empty())
      continue;
    tensors.push_back(*checkpoint->read(name));
    named.push_back({changed, tensors.back().view()});
  }
  fs::remove(folder + "/" + kSingleFile);
  fs::remove(folder + "/" + kIndexFile);
  ASSERT_TRUE(writeSafetensors(folder + "/" + kSingleFile, named).isOk());
}

// Wrappers and other models add parts before and inside names. Every tensor is
// still found under its standard name, by its bytes.
TEST(ModelWeights, NamesOfWrappersAreRead) {
  auto without = [](std::string name, const std::string &part) {
    return name.starts_with(part) ? name.substr(part.size()) : name;
  };
  auto before = [](std::string prefix) {
    return [=](std::string name) { return prefix + name; };
  };
  auto bodyBefore = [=](std::string prefix, std::string head) -> NameChange {
    return [=](std::string name) {
      return name.starts_with("model.") ? prefix + without(name, "model.")
                                        : head + name;
    };
  };
  auto inside = [](std::string part, std::string wrapper) -> NameChange {
    return [=](std::string name) {
      size_t at = name.find(part);
      return at == std::string::npos ? name
                                     : name.insert(at + part.size(), wrapper);
    };
  };
  struct Case {
    const char *what;
    NameChange rename;
  };
  const Case cases[] = {
      {"bare model", bodyBefore("", "")},
      {"distributed training", before("module.")},
      {"compiled", before("_orig_mod.")},
      {"both", before("module._orig_mod.")},
      {"bare and wrapped", bodyBefore("module.", "module.")},
      {"compiled layers", inside("self_attn.", "_orig_mod.")},
      {"fully sharded, checkpointed layers",
       inside("mlp.", "_fsdp_wrapped_module._checkpoint_wrapped_module.")},
      {"decoder of a larger model", before("language_model.")},
      {"the same, later", bodyBefore("model.language_model.", "")},
      {"another base name", bodyBefore("transformer.", "")},
  };
  for (const char *kind : {"llama", "qwen2"}) { // with a head, and tied
    auto original = QuantizedCheckpoint::open(fixture(kind));
    auto config = ModelConfig::read(fixture(kind));
    ASSERT_TRUE(original.isOk() && config.isOk());
    for (const Case &test : cases) {
      SCOPED_TRACE(std::string(kind) + ", " + test.what);
      Scratch scratch;
      std::string folder = copyOf(scratch, kind);
      writeRenamed(fixture(kind), folder, test.rename);
      auto checkpoint = QuantizedCheckpoint::open(folder);
      ASSERT_TRUE(checkpoint.isOk()) << checkpoint.status().message();
      EXPECT_EQ(checkpoint->names(), original->names());
      EXPECT_EQ(checkpoint->files().warnings().size(), 1u);
      auto report = checkWeights(*config, *checkpoint);
      ASSERT_TRUE(report.isOk()) << report.status().message();
      for (const std::string &name : original->names()) {
        Tensor left = *original->read(name);
        Tensor right = *checkpoint->read(name);
        ASSERT_EQ(left.bytes(), right.bytes());
        EXPECT_EQ(std::memcmp(left.data(), right.data(),
                              static_cast<size_t>(left.bytes())),
                  0)
            << name;
      }
      // A packed checkpoint is written with standard names. With the other
      // names it is the same checkpoint, with the ignore list in either
      // spelling.
      std::vector<std::string> names;
      for (const ExpectedTensor &tensor : expectedTensors(*config))
        if (tensor.isLinear && tensor.name != "lm_head.weight")
          names.push_back(tensor.name);
      numerics::Scheme scheme{numerics::Kind::kInt4, 32,
                              numerics::Convention::kNibble};
      auto written =
          writeQuantizedCheckpoint(folder, scratch / "packed", scheme, names);
      ASSERT_TRUE(written.isOk()) << written.status().message();
      auto packed = Checkpoint::open(scratch / "packed");
      ASSERT_TRUE(packed.isOk());
      EXPECT_TRUE(packed->info("model.layers.0.mlp.up_proj.weight_packed"));
      auto direct =
          verifyQuantizedCheckpoint(fixture(kind), scratch / "packed");
      EXPECT_TRUE(direct.isOk() && direct->isEqual());
      writeRenamed(scratch / "packed", scratch / "packed", test.rename);
      for (bool renamesIgnore : {false, true}) {
        Json file = Json::parse(contentOf(scratch / "packed/config.json"));
        if (renamesIgnore)
          for (Json &entry : file["quantization_config"]["ignore"])
            entry = test.rename(entry.get<std::string>());
        putContent(scratch / "packed/config.json", file.dump());
        auto verified =
            verifyQuantizedCheckpoint(fixture(kind), scratch / "packed");
        ASSERT_TRUE(verified.isOk()) << verified.status().message();
        EXPECT_TRUE(verified->isEqual()) << verified->firstDifference;
        EXPECT_EQ(verified->packedTensors, static_cast<int64_t>(names.size()));
      }
    }
    std::printf("%s: %zu tensors under %zu other namings\n", kind,
                original->names().size(), std::size(cases));
  }
}

TEST(ModelWeights, NamesThatAreNotOfADecoderAreRefused) {
  auto verdict = [](const char *kind, const NameChange &rename) -> Status {
    Scratch scratch;
    std::string folder = copyOf(scratch, kind);
    writeRenamed(fixture(kind), folder, rename);
    NIBBLE_ASSIGN(ModelConfig config, ModelConfig::read(folder));
    NIBBLE_ASSIGN(QuantizedCheckpoint checkpoint,
                  QuantizedCheckpoint::open(folder));
    return checkWeights(config, checkpoint).status();
  };
  // A bare model has no head.
  auto bare = [](const std::string &name) {
    return name.starts_with("model.") ? name.substr(6) : "";
  };
  EXPECT_TRUE(fails(verdict("llama", bare), Code::kBadInput,
                    {"lm_head.weight", "AutoModelForCausalLM"}));
  EXPECT_TRUE(verdict("qwen2", bare).isOk());
  auto tables = [](const std::string &name) {
    return name == "model.embed_tokens.weight" ? "tok_embeddings.weight" : name;
  };
  EXPECT_TRUE(fails(verdict("qwen2", tables), Code::kBadInput,
                    {"model.embed_tokens.weight", "names there are like"}));
  auto twice = [](const std::string &name) {
    return name.find("layers.1.mlp.up_proj") != std::string::npos
               ? "_orig_mod.model.layers.0.mlp.up_proj.weight"
               : name;
  };
  EXPECT_TRUE(fails(verdict("qwen2", twice), Code::kBadInput,
                    {"_orig_mod.model.layers.0.mlp.up_proj", "are both"}));
}

TEST(ModelWeights, WrongOnesAreNamed) {
  auto checkpoint = QuantizedCheckpoint::open(fixture("llama"));
  auto original = ModelConfig::read(fixture("llama"));
  ASSERT_TRUE(checkpoint.isOk() && original.isOk());
  auto refuses = [&](auto change, std::initializer_list<std::string> words) {
    ModelConfig config = *original;
    change(config);
    EXPECT_TRUE(fails(checkWeights(config, *checkpoint).status(),
                      Code::kBadInput, words));
  };
  refuses([](auto &c) { c.vocabSize = 321; },
          {"model.embed_tokens.weight", "[320, 64]", "[321, 64]"});
  refuses([](auto &c) { c.layers.resize(3); },
          {"model.layers.2.input_layernorm.weight", "missing"});
  refuses([](auto &c) { c.layers[0].qkvBias = true; },
          {"model.layers.0.self_attn.q_proj.bias", "missing"});
  refuses([](auto &c) { c.kvHeads = 4; },
          {"k_proj.weight", "[32, 64]", "[64, 64]"});
  refuses([](auto &c) { c.tieWordEmbeddings = true; },
          {"lm_head.weight", "tie_word_embeddings"});
  refuses([](auto &c) { c.layers.resize(1); }, {"model.layers.1.", "not used"});
}

} // namespace
