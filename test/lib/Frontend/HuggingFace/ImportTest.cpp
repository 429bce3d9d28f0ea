// The module for a configuration: names, order, layers and biases.
#include "lib/Frontend/HuggingFace/Import.h"
#include "dialects/NN/NN.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "runtime/formats/model/family.h"
#include "test/lib/Frontend/HuggingFace/configs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>

using namespace mlir;
using namespace nibble;
using namespace nibble::huggingface;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class Import : public ::testing::Test {
protected:
  // The module's text; a module that does not verify fails the test.
  std::string print(const ModelConfig &config,
                    const ImportOptions &options = {}) {
    module = buildModule(context, config, options);
    EXPECT_TRUE(module) << diagnostic;
    std::string text;
    if (module) {
      llvm::raw_string_ostream stream(text);
      module->print(stream);
    }
    return text;
  }
  template <typename OpTy> int count(StringRef function) {
    int found = 0;
    module->lookupSymbol<func::FuncOp>(function).walk([&](OpTy) { ++found; });
    return found;
  }
  // The functions that a function calls, in order.
  std::vector<std::string> callees(StringRef function) {
    std::vector<std::string> names;
    module->lookupSymbol<func::FuncOp>(function).walk(
        [&](func::CallOp call) { names.push_back(call.getCallee().str()); });
    return names;
  }

  MLIRContext context;
  std::string diagnostic;
  ScopedDiagnosticHandler handler{
      &context, [this](Diagnostic &d) { diagnostic = d.str(); }};
  OwningOpRef<ModuleOp> module;
};

} // namespace

TEST_F(Import, ArgumentsCarryTheCheckpointsNamesInItsOrder) {
  for (const ModelFamily &family : modelFamilies()) {
    SCOPED_TRACE(family.modelType);
    ModelConfig config = smallConfig(family.modelType);
    print(config);
    for (const char *name : {"hidden", "logits"}) {
      auto function = module->lookupSymbol<func::FuncOp>(name);
      ASSERT_TRUE(function);
      EXPECT_EQ(function.getArgAttrOfType<StringAttr>(0, nn::kInputAttr),
                "tokens");
      std::vector<ExpectedTensor> specs = expectedTensors(config);
      ASSERT_EQ(function.getNumArguments(), 3 + specs.size());
      for (size_t i = 0; i < specs.size(); ++i) {
        EXPECT_EQ(
            function.getArgAttrOfType<StringAttr>(3 + i, nn::kParameterAttr),
            specs[i].name);
        EXPECT_EQ(cast<RankedTensorType>(function.getArgument(3 + i).getType())
                      .getShape(),
                  ArrayRef<int64_t>(specs[i].shape));
      }
    }
    EXPECT_EQ(count<nn::RopeTableOp>("hidden"), 1);
    std::vector<std::string> layers = callees("hidden");
    ASSERT_EQ(layers.size(), config.layers.size());
    for (size_t i = 0; i < layers.size(); ++i) {
      EXPECT_EQ(count<nn::LinearOp>(layers[i]), 7);
      EXPECT_EQ(count<nn::RMSNormOp>(layers[i]),
                config.layers[i].qkNorm ? 4 : 2);
    }
  }
}

TEST_F(Import, TheTextCanBeReadAgain) {
  ModelConfig config = smallConfig("qwen2");
  std::string text = print(config);
  OwningOpRef<ModuleOp> again = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(again) << diagnostic;
  std::string second;
  llvm::raw_string_ostream stream(second);
  again->print(stream);
  EXPECT_EQ(text, second);
}

TEST_F(Import, BiasesGoWhereTheFamilyHasThem) {
  std::string text = print(smallConfig("qwen2"));
  EXPECT_THAT(text, HasSubstr("self_attn.q_proj.bias"));
  EXPECT_THAT(text, Not(HasSubstr("self_attn.o_proj.bias")));
  int biased = 0;
  module->lookupSymbol<func::FuncOp>("layer").walk(
      [&](nn::LinearOp op) { biased += op.getBias() ? 1 : 0; });
  EXPECT_EQ(biased, 3);
}

TEST_F(Import, ATiedHeadIsTheTable) {
  ModelConfig config = smallConfig("qwen3");
  config.tieWordEmbeddings = true;
  EXPECT_THAT(print(config), Not(HasSubstr("lm_head")));
  module->lookupSymbol<func::FuncOp>("logits").walk([&](nn::LinearOp op) {
    EXPECT_EQ(op.getWeight(),
              op->getParentOfType<func::FuncOp>().getArgument(3));
    EXPECT_EQ(op.getY().getType(),
              RankedTensorType::get({ShapedType::kDynamic, 100},
                                    Float32Type::get(&context)));
  });
}

TEST_F(Import, LayersOfAnotherKindAreAnotherFunction) {
  ModelConfig config = smallConfig("qwen2");
  config.layers.assign(5, config.layers.front());
  config.layers[1].window = config.layers[3].window = 16;
  config.layers[4].qkNorm = true; // its window is that of the first layer
  print(config);
  EXPECT_TRUE(module->lookupSymbol("layer"));
  module->lookupSymbol<func::FuncOp>("layer_window16")
      .walk([](nn::AttentionOp op) { EXPECT_EQ(op.getWindow(), 16); });
  EXPECT_EQ(count<nn::RMSNormOp>("layer"), 2);
  EXPECT_EQ(count<nn::RMSNormOp>("layer_window16"), 2);
  EXPECT_EQ(count<nn::RMSNormOp>("layer_2"), 4);
  EXPECT_THAT(callees("hidden"),
              ::testing::ElementsAre("layer", "layer_window16", "layer",
                                     "layer_window16", "layer_2"));
  int functions = 0;
  module->walk([&](func::FuncOp) { ++functions; });
  EXPECT_EQ(functions, 5) << "three kinds, @hidden and @logits";
}

// A norm may apply to the output of a layer's part, to its input, or to both.
TEST_F(Import, NormsStandWhereTheLayerHasThem) {
  ModelConfig config = smallConfig("llama");
  for (DecoderLayer &layer : config.layers) {
    layer.attentionNorm.clear();
    layer.attentionOutputNorm = "post_attention_layernorm";
    layer.mlpNorm = "pre_feedforward_layernorm";
    layer.mlpOutputNorm = "post_feedforward_layernorm";
  }
  print(config);
  auto layer = module->lookupSymbol<func::FuncOp>("layer");
  // Values that linears and the residual stream read.
  SmallVector<std::string> read;
  auto nameOf = [&](Value value) -> std::string {
    auto norm = value.getDefiningOp<nn::RMSNormOp>();
    if (!norm)
      return value == layer.getArgument(0) ? "x" : "";
    auto weight = cast<BlockArgument>(norm.getWeight());
    return layer
        .getArgAttrOfType<StringAttr>(weight.getArgNumber(), nn::kParameterAttr)
        .str();
  };
  layer.walk([&](Operation *op) {
    if (isa<nn::LinearOp>(op) && !nameOf(op->getOperand(0)).empty())
      read.push_back(nameOf(op->getOperand(0)));
    if (isa<arith::AddFOp>(op))
      read.push_back("+ " + nameOf(op->getOperand(1)));
  });
  EXPECT_THAT(read, ::testing::ElementsAre(
                        "x", "x", "x", "+ post_attention_layernorm.weight",
                        "pre_feedforward_layernorm.weight",
                        "pre_feedforward_layernorm.weight",
                        "+ post_feedforward_layernorm.weight"));
}

TEST_F(Import, DtypeAndBlockAreOptions) {
  std::string text =
      print(smallConfig("llama"), {.float32 = true, .kvBlock = 128});
  EXPECT_THAT(text, Not(HasSubstr("bf16")));
  EXPECT_THAT(text, HasSubstr("kv_block = 128"));
}

TEST_F(Import, WhatCannotBeBuiltIsRefusedWithTheReason) {
  auto expectRefused = [&](const ModelConfig &config, const std::string &why) {
    EXPECT_FALSE(buildModule(context, config));
    EXPECT_THAT(diagnostic, HasSubstr(why));
  };
  ModelConfig config = smallConfig("llama");
  config.modelType = "gpt2";
  expectRefused(config, "model_type 'gpt2' is not supported; there are " +
                            familyNames(" and "));
  config = smallConfig("llama");
  config.kvHeads = 3;
  expectRefused(
      config,
      "num_attention_heads = 4 is not a multiple of num_key_value_heads = 3");
  config = smallConfig("llama");
  config.headDim = 15;
  expectRefused(config, "head_dim = 15");
  config = smallConfig("llama");
  config.layers.clear();
  expectRefused(config, "num_hidden_layers must be positive");
  config = smallConfig("llama");
  config.hiddenSize = 0;
  expectRefused(config, "must be positive");
}
