// Builds the module of a model: one function per kind of layer, then the
// functions that call them.
#include "lib/Frontend/HuggingFace/Import.h"

#include "dialects/NN/NN.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "runtime/formats/model/family.h"

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

// Layers that compute the same, and the function that they call.
struct LayerKind {
  DecoderLayer layer;
  std::string function;
};

// Arguments of a function by their names.
using Parameters = std::map<std::string, Value>;

class Importer {
public:
  Importer(MLIRContext &context, const ModelConfig &config,
           const ImportOptions &options)
      : config_(config), options_(options),
        b_(UnknownLoc::get(&context), &context),
        element_(options.float32 ? static_cast<Type>(b_.getF32Type())
                                 : b_.getBF16Type()) {}

  OwningOpRef<ModuleOp> build();

private:
  LogicalResult check();
  DictionaryAttr modelAttribute();
  void findKinds();
  const LayerKind &kindOf(const DecoderLayer &layer) const {
    return *llvm::find_if(
        kinds_, [&](const LayerKind &kind) { return kind.layer == layer; });
  }

  RankedTensorType rowsType(int64_t features) {
    return RankedTensorType::get({ShapedType::kDynamic, features}, element_);
  }
  RankedTensorType floatRowsType(int64_t features) {
    return RankedTensorType::get({ShapedType::kDynamic, features},
                                 b_.getF32Type());
  }
  RankedTensorType indexType() {
    return RankedTensorType::get({ShapedType::kDynamic}, b_.getI32Type());
  }

  // Creates a function with `inputs`, then one argument for each of
  // `parameters`, and moves the builder into its body.
  func::FuncOp beginFunction(StringRef name,
                             ArrayRef<std::pair<StringRef, Type>> inputs,
                             ArrayRef<ExpectedTensor> parameters, Type result,
                             bool isPrivate);
  void nameLocation(const Twine &name) {
    b_.setLoc(NameLoc::get(b_.getStringAttr(name)));
  }

  Value linear(Value x, const Parameters &weights, StringRef module,
               int64_t out, Type resultElement = {});
  Value norm(Value x, Value weight);
  // The norm whose weight `module` holds. Returns x itself when the name is
  // empty.
  Value normOrNone(Value x, const Parameters &weights, StringRef module);
  Value attention(Value h, func::FuncOp function, const Parameters &weights,
                  const DecoderLayer &layer);
  Value mlp(Value h, const Parameters &weights);
  void buildLayer(const LayerKind &kind);
  void buildHidden();
  void buildLogits();

  const ModelConfig &config_;
  const ImportOptions &options_;
  ImplicitLocOpBuilder b_;
  Type element_;
  std::vector<LayerKind> kinds_; // in the order of their first layers
};

} // namespace

LogicalResult Importer::check() {
  auto refuse = [&](const Twine &why) {
    return emitError(b_.getLoc(), "config.json: ") << why;
  };
  if (!familyNamed(config_.modelType))
    return refuse("model_type '" + config_.modelType +
                  "' is not supported; there are " + familyNames(" and "));
  if (config_.vocabSize <= 0 || config_.hiddenSize <= 0 ||
      config_.intermediateSize <= 0 || config_.layers.empty())
    return refuse("vocab_size, hidden_size, intermediate_size and "
                  "num_hidden_layers must be positive");
  if (config_.heads <= 0 || config_.kvHeads <= 0 ||
      config_.heads % config_.kvHeads != 0)
    return refuse("num_attention_heads = " + Twine(config_.heads) +
                  " is not a multiple of num_key_value_heads = " +
                  Twine(config_.kvHeads));
  if (config_.headDim <= 0 || config_.headDim % 2 != 0)
    return refuse("head_dim = " + Twine(config_.headDim) +
                  " is not a positive even number");
  return success();
}

DictionaryAttr Importer::modelAttribute() {
  NamedAttrList model;
  model.append("model_type", b_.getStringAttr(config_.modelType));
  auto integer = [&](StringRef name, int64_t value) {
    model.append(name, b_.getI64IntegerAttr(value));
  };
  integer("vocab_size", config_.vocabSize);
  integer("hidden_size", config_.hiddenSize);
  integer("intermediate_size", config_.intermediateSize);
  integer("num_hidden_layers", config_.layerCount());
  integer("num_attention_heads", config_.heads);
  integer("num_key_value_heads", config_.kvHeads);
  integer("head_dim", config_.headDim);
  model.append("tie_word_embeddings",
               b_.getBoolAttr(config_.tieWordEmbeddings));
  return model.getDictionary(b_.getContext());
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
                             ? b_.getDictionaryAttr({})
                             : b_.getDictionaryAttr(b_.getNamedAttr(
                                   nn::kInputAttr, b_.getStringAttr(input))));
  }
  for (const ExpectedTensor &parameter : parameters) {
    types.push_back(RankedTensorType::get(parameter.shape, element_));
    attributes.push_back(b_.getDictionaryAttr(
        b_.getNamedAttr(nn::kParameterAttr, b_.getStringAttr(parameter.name))));
  }
  nameLocation(name);
  auto function =
      func::FuncOp::create(b_, name, b_.getFunctionType(types, result));
  function.setAllArgAttrs(attributes);
  if (isPrivate)
    function.setPrivate();
  b_.setInsertionPointToStart(function.addEntryBlock());
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
                                    resultElement ? resultElement : element_);
  return nn::LinearOp::create(b_, type, x,
                              weights.at((module + ".weight").str()),
                              bias == weights.end() ? Value() : bias->second,
                              /*residual=*/Value());
}

Value Importer::norm(Value x, Value weight) {
  return nn::RMSNormOp::create(
      b_, x.getType(), x, weight,
      b_.getF32FloatAttr(static_cast<float>(config_.normEpsilon)));
}

Value Importer::normOrNone(Value x, const Parameters &weights,
                           StringRef module) {
  if (module.empty())
    return x;
  nameLocation(module);
  return norm(x, weights.at((module + ".weight").str()));
}

// One function serves all layers that compute the same. It is named after their
// window. Later kinds with the same window are numbered.
void Importer::findKinds() {
  std::set<std::string> names;
  for (const DecoderLayer &layer : config_.layers) {
    if (llvm::any_of(
            kinds_, [&](const LayerKind &kind) { return kind.layer == layer; }))
      continue;
    std::string plain = layer.window == 0
                            ? "layer"
                            : "layer_window" + std::to_string(layer.window);
    std::string name = plain;
    for (int number = 2; !names.insert(name).second; ++number)
      name = plain + "_" + std::to_string(number);
    kinds_.push_back({layer, name});
  }
}

// The term that attention over h adds to the residual stream, before any norm
// of that term.
Value Importer::attention(Value h, func::FuncOp function,
                          const Parameters &weights,
                          const DecoderLayer &layer) {
  int64_t queries = config_.heads * config_.headDim;
  int64_t keys = config_.kvHeads * config_.headDim;
  Value cos = function.getArgument(1);
  Value sin = function.getArgument(2);
  Value positions = function.getArgument(3);
  Value sequences = function.getArgument(4);
  Value q = linear(h, weights, "self_attn.q_proj", queries);
  Value k = linear(h, weights, "self_attn.k_proj", keys);
  Value v = linear(h, weights, "self_attn.v_proj", keys);
  nameLocation("self_attn");
  if (layer.qkNorm) { // per head, before rotary embedding
    q = norm(q, weights.at("self_attn.q_norm.weight"));
    k = norm(k, weights.at("self_attn.k_norm.weight"));
  }
  q = nn::RopeOp::create(b_, q.getType(), q, cos, sin, /*inverse=*/UnitAttr());
  k = nn::RopeOp::create(b_, k.getType(), k, cos, sin, /*inverse=*/UnitAttr());
  float scale =
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.headDim)));
  Value attended =
      nn::AttentionOp::create(
          b_, rowsType(queries), floatRowsType(config_.heads), q, k, v,
          positions, sequences, b_.getI64IntegerAttr(config_.heads),
          b_.getI64IntegerAttr(config_.kvHeads), b_.getF32FloatAttr(scale),
          b_.getI64IntegerAttr(options_.kvBlock),
          b_.getI64IntegerAttr(layer.window))
          .getY();
  return linear(attended, weights, "self_attn.o_proj", config_.hiddenSize);
}

// The term that the MLP over h adds to the residual stream, before any norm of
// that term.
Value Importer::mlp(Value h, const Parameters &weights) {
  Value gate = linear(h, weights, "mlp.gate_proj", config_.intermediateSize);
  Value up = linear(h, weights, "mlp.up_proj", config_.intermediateSize);
  nameLocation("mlp");
  Value inner = nn::SwigluOp::create(b_, gate.getType(), gate, up);
  return linear(inner, weights, "mlp.down_proj", config_.hiddenSize);
}

// The formula of DecoderLayer.
void Importer::buildLayer(const LayerKind &kind) {
  const DecoderLayer &layer = kind.layer;
  std::vector<ExpectedTensor> specs = layerTensors(config_, layer);
  func::FuncOp function =
      beginFunction(kind.function,
                    {{"x", rowsType(config_.hiddenSize)},
                     {"cos", floatRowsType(config_.headDim / 2)},
                     {"sin", floatRowsType(config_.headDim / 2)},
                     {"positions", indexType()},
                     {"sequences", indexType()}},
                    specs, rowsType(config_.hiddenSize), /*isPrivate=*/true);
  Parameters weights = parametersOf(function, specs);
  Value x = function.getArgument(0);

  Value h = normOrNone(x, weights, layer.attentionNorm);
  Value o = attention(h, function, weights, layer);
  o = normOrNone(o, weights, layer.attentionOutputNorm);
  x = arith::AddFOp::create(b_, x, o);

  h = normOrNone(x, weights, layer.mlpNorm);
  Value down = mlp(h, weights);
  down = normOrNone(down, weights, layer.mlpOutputNorm);
  x = arith::AddFOp::create(b_, x, down);
  func::ReturnOp::create(b_, x);
}

void Importer::buildHidden() {
  std::vector<ExpectedTensor> specs = expectedTensors(config_);
  func::FuncOp function =
      beginFunction("hidden",
                    {{"tokens", indexType()},
                     {"positions", indexType()},
                     {"sequences", indexType()}},
                    specs, rowsType(config_.hiddenSize), /*isPrivate=*/false);
  Parameters weights = parametersOf(function, specs);
  Value positions = function.getArgument(1);
  Value sequences = function.getArgument(2);

  nameLocation("model.embed_tokens");
  Value x = nn::EmbeddingOp::create(b_, rowsType(config_.hiddenSize),
                                    function.getArgument(0),
                                    weights.at("model.embed_tokens.weight"));
  nameLocation("model.rotary_emb");
  auto table = nn::RopeTableOp::create(
      b_, floatRowsType(config_.headDim / 2),
      floatRowsType(config_.headDim / 2), positions,
      b_.getDenseF32ArrayAttr(config_.inverseFrequencies()),
      b_.getF32FloatAttr(config_.attentionFactor()));
  for (auto [i, layer] : llvm::enumerate(config_.layers)) {
    nameLocation("model.layers." + Twine(i));
    SmallVector<Value> operands = {x, table.getCos(), table.getSin(), positions,
                                   sequences};
    for (const ExpectedTensor &spec : layerTensors(config_, layer))
      operands.push_back(
          weights.at(layerPrefix(static_cast<int64_t>(i)) + spec.name));
    x = func::CallOp::create(b_, kindOf(layer).function, x.getType(), operands)
            .getResult(0);
  }
  nameLocation("model.norm");
  func::ReturnOp::create(b_, norm(x, weights.at("model.norm.weight")));
}

void Importer::buildLogits() {
  std::vector<ExpectedTensor> specs = expectedTensors(config_);
  func::FuncOp function = beginFunction("logits",
                                        {{"tokens", indexType()},
                                         {"positions", indexType()},
                                         {"sequences", indexType()}},
                                        specs, floatRowsType(config_.vocabSize),
                                        /*isPrivate=*/false);
  function.setResultAttr(0, nn::kOutputAttr, b_.getStringAttr("logits"));
  Parameters weights = parametersOf(function, specs);
  nameLocation("model");
  Value hidden =
      func::CallOp::create(b_, "hidden", rowsType(config_.hiddenSize),
                           function.getArguments())
          .getResult(0);
  // The head accumulates in float32 and stays so. A tied head uses the
  // embedding's table.
  if (config_.tieWordEmbeddings)
    weights["lm_head.weight"] = weights.at("model.embed_tokens.weight");
  func::ReturnOp::create(b_, linear(hidden, weights, "lm_head",
                                    config_.vocabSize, b_.getF32Type()));
}

OwningOpRef<ModuleOp> Importer::build() {
  b_.getContext()
      ->loadDialect<func::FuncDialect, arith::ArithDialect, nn::NNDialect>();
  if (failed(check()))
    return {};
  OwningOpRef<ModuleOp> module = ModuleOp::create(b_.getLoc());
  (*module)->setAttr("nn.model", modelAttribute());

  findKinds();
  for (const LayerKind &kind : kinds_) {
    b_.setInsertionPointToEnd(module->getBody());
    buildLayer(kind);
  }
  b_.setInsertionPointToEnd(module->getBody());
  buildHidden();
  b_.setInsertionPointToEnd(module->getBody());
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
