// The optimizer: one pass over master, moments and gradient, 16 bytes of each in a thread.
#include "passes/LowerToHopper/Flat.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

// Loshchilov and Hutter's step with decoupled decay; every operation rounded once. Everything of an element is read
// before it is written, since master and moments are updated where they lie.
LogicalResult emitAdamW(Kernel &k) {
  Value weight = k.output(3);
  FlatSpec spec;
  spec.key = "adamw_" + textOf(elementOf(weight));
  spec.width = 4;
  spec.whole = isMultiple(weight, spec.width);
  spec.count = elementsOf(k.host, k.loc(), weight);
  llvm::append_range(spec.arguments, k.op.getInputs());
  llvm::append_range(spec.arguments, k.op.getOutputs());
  launchFlat(k.writer, k.host, k.loc(), spec, [&](Emitter &b, ValueRange arguments, Value first, int64_t width) {
    Type f32 = b.getF32Type();
    auto load = [&](unsigned i) { return loadFloats(b, arguments[i], f32, first, width); };
    Value gradient = load(0), master = load(2), moment1 = load(3), moment2 = load(4);
    SmallVector<Value> h;
    for (int64_t i = 0; i < 8; ++i)
      h.push_back(b.splat(b.load(b.at(arguments[1], f32, b.i32(i)), f32), width));
    Value rate = h[0], beta1 = h[1], beta2 = h[2], epsilon = h[3], decay = h[4], clip = h[5], bias1 = h[6],
          bias2 = h[7];
    Value one = b.like(rate, 1), rest1 = b.sub(one, beta1), rest2 = b.sub(one, beta2), g = b.mul(gradient, clip);
    Value m = b.add(b.mul(beta1, moment1), b.mul(rest1, g));
    Value v = b.add(b.mul(beta2, moment2), b.mul(b.mul(rest2, g), g));
    Value step = b.div(b.div(m, bias1), b.add(b.sqrt(b.div(v, bias2)), epsilon));
    Value next = b.sub(master, b.mul(rate, b.add(step, b.mul(decay, master))));
    storeFloats(b, next, arguments[2], f32, first, width);
    storeFloats(b, m, arguments[3], f32, first, width);
    storeFloats(b, v, arguments[4], f32, first, width);
    storeFloats(b, next, arguments[5], elementOf(weight), first, width);
  });
  return success();
}

} // namespace

void addUpdateKernels(KernelTable &table) { table["nn.adamw"] = emitAdamW; }

} // namespace nibble::hopper
