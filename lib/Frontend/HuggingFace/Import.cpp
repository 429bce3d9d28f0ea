#include "lib/Frontend/HuggingFace/Import.h"

#include "dialects/NN/NN.h"
#include "runtime/formats/checkpoint/model_weights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"

#include <cmath>
#include <map>
#include <set>

using namespace mlir;
using namespace nibble;
using namespace nibble::huggingface;

namespace {

std::string layerPrefix(int64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

// The parameters of one decoder layer, with names relative to
// "model.layers.<i>.".
std::vector<ExpectedTensor> layerParameters(const ModelConfig &config) {
  std::vector<ExpectedTensor> parameters;
  std::string prefix = layerPrefix(0);
  for (ExpectedTensor &tensor : expectedTensors(config))
    if (StringRef(tensor.name).starts_with(prefix))
      parameters.push_back(
          {tensor.name.substr(prefix.size()), tensor.shape, tensor.isLinear});
  return parameters;
}

// Arguments of a function by the name that they carry.
using Parameters = std::map<std::string, Value>;

class Importer {
public:
  Importer(MLIRContext &context, const ModelConfig &config,
           const ImportOptions &options)
      : config(config), options(options),
        b(UnknownLoc::get(&context), &context),
        element(options.float32 ? static_cast<Type>(b.getF32Type())
                                : b.getBF16Type()) {}

  OwningOpRef<ModuleOp> build();

private:
  LogicalResult check();
  DictionaryAttr modelAttribute();

  RankedTensorType rowsType(int64_t features) {
    return RankedTensorType::get({ShapedType::kDynamic, features}, element);
  }
  RankedTensorType floatRowsType(int64_t features) {
    return RankedTensorType::get({ShapedType::kDynamic, features},
                                 b.getF32Type());
  }
  RankedTensorType indexType() {
    return RankedTensorType::get({ShapedType::kDynamic}, b.getI32Type());
  }

  // A function with `inputs` before one argument for each of `parameters`; the
  // builder stands in its body.
  func::FuncOp beginFunction(StringRef name,
                             ArrayRef<std::pair<StringRef, Type>> inputs,
                             ArrayRef<ExpectedTensor> parameters, Type result,
                             bool isPrivate);
  void nameLocation(const Twine &name) {
    b.setLoc(NameLoc::get(b.getStringAttr(name)));
  }

  Value linear(Value x, const Parameters &weights, StringRef module,
               int64_t out, Type resultElement = {});
  Value norm(Value x, Value weight);
  void buildLayer(StringRef name, int64_t window);
  void buildHidden();
  void buildLogits();

  std::string layerFunction(int64_t layer) const {
    int64_t window = config.windows.empty() ? 0 : config.windows[layer];
    return window == 0 ? "layer" : "layer_window" + std::to_string(window);
  }

  const ModelConfig &config;
  const ImportOptions &options;
  ImplicitLocOpBuilder b;
  Type element;
};

} // namespace

LogicalResult Importer::check() {
  auto refuse = [&](const Twine &why) {
    return emitError(b.getLoc(), "config.json: ") << why;
  };
  if (config.modelType != "llama" && config.modelType != "qwen2" &&
      config.modelType != "qwen3")
    return refuse("model_type '" + config.modelType +
                  "' is not supported; there are llama, qwen2 and qwen3");
  if (config.vocabSize <= 0 || config.hiddenSize <= 0 ||
      config.intermediateSize <= 0 || config.layers <= 0)
    return refuse("vocab_size, hidden_size, intermediate_size and "
                  "num_hidden_layers must be positive");
  if (config.heads <= 0 || config.kvHeads <= 0 ||
      config.heads % config.kvHeads != 0)
    return refuse(
        "num_attention_heads = " + Twine(config.heads) +
        " is not a multiple of num_key_value_heads = " + Twine(config.kvHeads));
  if (config.headDim <= 0 || config.headDim % 2 != 0)
    return refuse("head_dim = " + Twine(config.headDim) +
                  " is not a positive even number");
  if (!config.windows.empty() &&
      static_cast<int64_t>(config.windows.size()) != config.layers)
    return refuse("layer_types has " + Twine(config.windows.size()) +
                  " entries for " + Twine(config.layers) + " layers");
  return success();
}

DictionaryAttr Importer::modelAttribute() {
  NamedAttrList model;
  model.append("model_type", b.getStringAttr(config.modelType));
  auto integer = [&](StringRef name, int64_t value) {
    model.append(name, b.getI64IntegerAttr(value));
  };
  integer("vocab_size", config.vocabSize);
  integer("hidden_size", config.hiddenSize);
  integer("intermediate_size", config.intermediateSize);
  integer("num_hidden_layers", config.layers);
  integer("num_attention_heads", config.heads);
  integer("num_key_value_heads", config.kvHeads);
  integer("head_dim", config.headDim);
  model.append("tie_word_embeddings", b.getBoolAttr(config.tieWordEmbeddings));
  return model.getDictionary(b.getContext());
}

func::FuncOp Importer::beginFunction(
    StringRef name, ArrayRef<std::pair<StringRef, Type>> inputs,
    ArrayRef<ExpectedTensor> parameters, Type result, bool isPrivate) {
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (auto [input, type] : inputs) {
    types.push_back(type);
    // The arguments of a private function are not the program's.
    attributes.push_back(isPrivate
                             ? b.getDictionaryAttr({})
                             : b.getDictionaryAttr(b.getNamedAttr(
                                   nn::kInputAttr, b.getStringAttr(input))));
  }
  for (const ExpectedTensor &parameter : parameters) {
    types.push_back(RankedTensorType::get(parameter.shape, element));
    attributes.push_back(b.getDictionaryAttr(
        b.getNamedAttr(nn::kParameterAttr, b.getStringAttr(parameter.name))));
  }
  nameLocation(name);
  auto function =
      func::FuncOp::create(b, name, b.getFunctionType(types, result));
  function.setAllArgAttrs(attributes);
  if (isPrivate)
    function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

// The last arguments of the function by the names that they carry.
static Parameters parametersOf(func::FuncOp function,
                               ArrayRef<ExpectedTensor> specs) {
  Parameters parameters;
  for (auto [spec, argument] :
       llvm::zip(specs, function.getArguments().take_back(specs.size())))
    parameters[spec.name] = argument;
  return parameters;
}

Value Importer::linear(Value x, const Parameters &weights, StringRef module,
                       int64_t out, Type resultElement) {
  nameLocation(module);
  auto bias = weights.find((module + ".bias").str());
  Type type = RankedTensorType::get({ShapedType::kDynamic, out},
                                    resultElement ? resultElement : element);
  return nn::LinearOp::create(b, type, x,
                              weights.at((module + ".weight").str()),
                              bias == weights.end() ? Value() : bias->second,
                              /*residual=*/Value());
}

Value Importer::norm(Value x, Value weight) {
  return nn::RMSNormOp::create(
      b, x.getType(), x, weight,
      b.getF32FloatAttr(static_cast<float>(config.normEpsilon)));
}

// x + Attention(RMSNorm(x)), then that + MLP(RMSNorm(that)); `window` 0: every
// token sees all before it.
void Importer::buildLayer(StringRef name, int64_t window) {
  int64_t hidden = config.hiddenSize, queries = config.heads * config.headDim,
          keys = config.kvHeads * config.headDim;
  std::vector<ExpectedTensor> specs = layerParameters(config);
  func::FuncOp function =
      beginFunction(name,
                    {{"x", rowsType(hidden)},
                     {"cos", floatRowsType(config.headDim / 2)},
                     {"sin", floatRowsType(config.headDim / 2)},
                     {"positions", indexType()},
                     {"sequences", indexType()}},
                    specs, rowsType(hidden), /*isPrivate=*/true);
  Parameters weights = parametersOf(function, specs);
  Value x = function.getArgument(0), cos = function.getArgument(1),
        sin = function.getArgument(2);
  Value positions = function.getArgument(3),
        sequences = function.getArgument(4);

  nameLocation("input_layernorm");
  Value h = norm(x, weights.at("input_layernorm.weight"));
  Value q = linear(h, weights, "self_attn.q_proj", queries);
  Value k = linear(h, weights, "self_attn.k_proj", keys);
  Value v = linear(h, weights, "self_attn.v_proj", keys);
  nameLocation("self_attn");
  if (config.qkNorm) { // per head, before the rotation
    q = norm(q, weights.at("self_attn.q_norm.weight"));
    k = norm(k, weights.at("self_attn.k_norm.weight"));
  }
  q = nn::RopeOp::create(b, q.getType(), q, cos, sin, /*inverse=*/UnitAttr());
  k = nn::RopeOp::create(b, k.getType(), k, cos, sin, /*inverse=*/UnitAttr());
  float scale =
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.headDim)));
  Value attended =
      nn::AttentionOp::create(
          b, rowsType(queries), floatRowsType(config.heads), q, k, v, positions,
          sequences, b.getI64IntegerAttr(config.heads),
          b.getI64IntegerAttr(config.kvHeads), b.getF32FloatAttr(scale),
          b.getI64IntegerAttr(options.kvBlock), b.getI64IntegerAttr(window))
          .getY();
  Value o = linear(attended, weights, "self_attn.o_proj", hidden);
  x = arith::AddFOp::create(b, x, o);

  nameLocation("post_attention_layernorm");
  h = norm(x, weights.at("post_attention_layernorm.weight"));
  Value gate = linear(h, weights, "mlp.gate_proj", config.intermediateSize);
  Value up = linear(h, weights, "mlp.up_proj", config.intermediateSize);
  nameLocation("mlp");
  Value inner = nn::SwigluOp::create(b, gate.getType(), gate, up);
  Value down = linear(inner, weights, "mlp.down_proj", hidden);
  x = arith::AddFOp::create(b, x, down);
  func::ReturnOp::create(b, x);
}

void Importer::buildHidden() {
  std::vector<ExpectedTensor> specs = expectedTensors(config),
                              ofLayer = layerParameters(config);
  func::FuncOp function =
      beginFunction("hidden",
                    {{"tokens", indexType()},
                     {"positions", indexType()},
                     {"sequences", indexType()}},
                    specs, rowsType(config.hiddenSize), /*isPrivate=*/false);
  Parameters weights = parametersOf(function, specs);
  Value positions = function.getArgument(1),
        sequences = function.getArgument(2);

  nameLocation("model.embed_tokens");
  Value x = nn::EmbeddingOp::create(b, rowsType(config.hiddenSize),
                                    function.getArgument(0),
                                    weights.at("model.embed_tokens.weight"));
  nameLocation("model.rotary_emb");
  auto table = nn::RopeTableOp::create(
      b, floatRowsType(config.headDim / 2), floatRowsType(config.headDim / 2),
      positions, b.getDenseF32ArrayAttr(config.inverseFrequencies()),
      b.getF32FloatAttr(config.attentionFactor()));
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    nameLocation("model.layers." + Twine(layer));
    SmallVector<Value> operands = {x, table.getCos(), table.getSin(), positions,
                                   sequences};
    for (const ExpectedTensor &spec : ofLayer)
      operands.push_back(weights.at(layerPrefix(layer) + spec.name));
    x = func::CallOp::create(b, layerFunction(layer), x.getType(), operands)
            .getResult(0);
  }
  nameLocation("model.norm");
  func::ReturnOp::create(b, norm(x, weights.at("model.norm.weight")));
}

void Importer::buildLogits() {
  std::vector<ExpectedTensor> specs = expectedTensors(config);
  func::FuncOp function = beginFunction("logits",
                                        {{"tokens", indexType()},
                                         {"positions", indexType()},
                                         {"sequences", indexType()}},
                                        specs, floatRowsType(config.vocabSize),
                                        /*isPrivate=*/false);
  function.setResultAttr(0, nn::kOutputAttr, b.getStringAttr("logits"));
  Parameters weights = parametersOf(function, specs);
  nameLocation("model");
  Value hidden = func::CallOp::create(b, "hidden", rowsType(config.hiddenSize),
                                      function.getArguments())
                     .getResult(0);
  // The head's sums stay in float32. A tied head is the embedding's table.
  if (config.tieWordEmbeddings)
    weights["lm_head.weight"] = weights.at("model.embed_tokens.weight");
  func::ReturnOp::create(
      b, linear(hidden, weights, "lm_head", config.vocabSize, b.getF32Type()));
}

OwningOpRef<ModuleOp> Importer::build() {
  b.getContext()
      ->loadDialect<func::FuncDialect, arith::ArithDialect, nn::NNDialect>();
  if (failed(check()))
    return {};
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  (*module)->setAttr("nn.model", modelAttribute());

  std::set<std::string> built;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::string name = layerFunction(layer);
    if (!built.insert(name).second)
      continue;
    b.setInsertionPointToEnd(module->getBody());
    buildLayer(name, config.windows.empty() ? 0 : config.windows[layer]);
  }
  b.setInsertionPointToEnd(module->getBody());
  buildHidden();
  b.setInsertionPointToEnd(module->getBody());
  buildLogits();
  if (failed(verify(*module)))
    return {};
  return module;
}

OwningOpRef<ModuleOp>
nibble::huggingface::buildModule(MLIRContext &context,
                                 const ModelConfig &config,
                                 const ImportOptions &options) {
  return Importer(context, config, options).build();
}
