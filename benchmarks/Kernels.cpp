// Builds the kernel cases of nibble-bench: a textual module, its tensors, and
// the work of a call.
#include "benchmarks/Kernels.h"

#include "lib/Driver/Session.h"

#include <cstring>
#include <fmt/format.h>
#include <random>

namespace nibble::benchmarks {

namespace {

// A compiled function with its arguments.
struct Bound {
  std::shared_ptr<Session> session;
  std::optional<Function> function;
  std::vector<Tensor> arguments;
  Arena arena;

  Status call() {
    NIBBLE_ASSIGN(auto results, function->call(arena));
    arena.reset();
    return Status::ok();
  }
};

struct Argument {
  std::string name, type;
  DType dtype;
  Shape shape;
};

// Fills floats with numbers whose products stay far from the ends of the range,
// and bytes with any values.
void fill(Tensor &tensor) {
  std::minstd_rand random(7);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    uint32_t bits = random();
    if (tensor.dtype() == DType::kF32)
      tensor.as<float>()[i] = static_cast<float>(bits % 2001) / 1000.0f - 1.0f;
    else if (tensor.dtype() == DType::kBF16)
      tensor.as<uint16_t>()[i] = static_cast<uint16_t>(
          0x3E80u + bits % 0x100u + (bits & 0x10000u ? 0x8000u : 0u));
    else
      tensor.as<uint8_t>()[i] = static_cast<uint8_t>(0x3Cu + bits % 4u);
  }
}

Result<std::shared_ptr<Bound>> compile(const HostOptions &host,
                                       const std::vector<Argument> &arguments,
                                       const std::string &result,
                                       const std::string &body) {
  std::string signature;
  for (const Argument &argument : arguments)
    signature += fmt::format("{}%{}: {}", signature.empty() ? "" : ", ",
                             argument.name, argument.type);
  std::string source = fmt::format(
      "func.func @f({}) -> {} {{\n  %out = {}\n  return %out : {}\n}}\n",
      signature, result, body, result);
  auto bound = std::make_shared<Bound>();
  bound->session = std::make_shared<Session>();
  NIBBLE_ASSIGN(auto module, bound->session->parseText(source, "benchmark"));
  NIBBLE_ASSIGN(Program program, bound->session->compileForHost(*module, host));
  NIBBLE_ASSIGN(bound->function, program.function("f"));
  for (size_t i = 0; i < arguments.size(); ++i) {
    NIBBLE_ASSIGN(Tensor tensor,
                  Tensor::create(arguments[i].dtype, arguments[i].shape));
    fill(tensor);
    bound->arguments.push_back(std::move(tensor));
    NIBBLE_TRY(bound->function->bind(static_cast<int>(i),
                                     bound->arguments.back().view()));
  }
  return bound;
}

std::string matrix(int64_t columns, const char *element) {
  return fmt::format("tensor<?x{}x{}>", columns, element);
}

class Cases {
public:
  explicit Cases(const Plan &plan) : plan_(plan) {}

  Status add(const std::string &name, const char *unit, Limit limit,
             double work, double goal, const std::vector<Argument> &arguments,
             const std::string &result, const std::string &body) {
    if (!plan_.wants(name))
      return Status::ok();
    NIBBLE_ASSIGN(auto bound, compile(plan_.host, arguments, result, body));
    cases.push_back(
        {name, unit, limit, work, goal, [bound] { return bound->call(); }});
    return Status::ok();
  }

  // A linear's weight, in IR and in memory.
  struct Weight {
    const char *name;
    std::string type;
    DType dtype;
    Shape shape;
    const char *dialect;
  };
  static Weight plain(int64_t n, int64_t k, const char *element) {
    DType dtype = std::strcmp(element, "f32") == 0 ? DType::kF32 : DType::kBF16;
    return {element,
            fmt::format("tensor<{}x{}x{}>", n, k, element),
            dtype,
            {n, k},
            "nn"};
  }
  static Weight int4(int64_t n, int64_t k, int64_t group) {
    int64_t bytes = n * ((k + 127) / 128) * 64 + n * (k / group) * 2;
    return {"int4",
            fmt::format(
                "!qat.packed<{}x{}, #qat.scheme<int4, group_size = {}>, host>",
                n, k, group),
            DType::kU8,
            {bytes},
            "qat"};
  }

  Status linear(int64_t tokens, int64_t n, int64_t k, const Weight &weight,
                Limit limit, double goal) {
    double products = static_cast<double>(tokens) * static_cast<double>(n * k);
    double work =
        limit == Limit::kNone ? static_cast<double>(n * k) : 2 * products;
    std::string x = matrix(k, "bf16");
    std::string y = matrix(n, "bf16");
    return add(
        fmt::format("linear/{}/{}x{}/tokens:{}", weight.name, n, k, tokens),
        limit == Limit::kNone ? "weights/s" : "FLOP/s", limit, work, goal,
        {{"x", x, DType::kBF16, {tokens, k}},
         {"w", weight.type, weight.dtype, weight.shape}},
        y,
        fmt::format("{}.linear %x, %w : {}, {} -> {}", weight.dialect, x,
                    weight.type, y));
  }

  Status inputGrad(int64_t tokens, int64_t n, int64_t k, const Weight &weight,
                   double goal) {
    std::string dy = matrix(n, "bf16");
    std::string dx = matrix(k, "bf16");
    return add(fmt::format("linear_input_grad/{}/{}x{}/tokens:{}", weight.name,
                           n, k, tokens),
               "FLOP/s", Limit::kFma,
               2.0 * static_cast<double>(tokens) * static_cast<double>(n * k),
               goal,
               {{"dy", dy, DType::kBF16, {tokens, n}},
                {"w", weight.type, weight.dtype, weight.shape}},
               dx,
               fmt::format("{}.linear_input_grad %dy, %w : {}, {} -> {}",
                           weight.dialect, dy, weight.type, dx));
  }

  Status weightGrad(int64_t tokens, int64_t n, int64_t k, double goal) {
    std::string dy = matrix(n, "bf16");
    std::string x = matrix(k, "bf16");
    std::string dw = fmt::format("tensor<{}x{}xf32>", n, k);
    return add(
        fmt::format("linear_weight_grad/{}x{}/tokens:{}", n, k, tokens),
        "FLOP/s", Limit::kFma,
        2.0 * static_cast<double>(tokens) * static_cast<double>(n * k), goal,
        {{"dy", dy, DType::kBF16, {tokens, n}},
         {"x", x, DType::kBF16, {tokens, k}},
         {"init", dw + " {nn.state = \"gradient\"}", DType::kF32, {n, k}}},
        dw,
        fmt::format("nn.linear_weight_grad %dy, %x, %init : {}, {}, {}", dy, x,
                    dw));
  }

  Status quantize(int64_t n, int64_t k, int64_t group, double goal) {
    Weight source = plain(n, k, "bf16");
    Weight packed = int4(n, k, group);
    double bytes =
        2.0 * static_cast<double>(n * k) + static_cast<double>(packed.shape[0]);
    return add(
        fmt::format("quantize/{}x{}/group:{}", n, k, group), "B/s",
        Limit::kRead, bytes, goal,
        {{"w", source.type, source.dtype, source.shape}}, packed.type,
        fmt::format("qat.quantize %w : {} -> {}", source.type, packed.type));
  }

  std::vector<Case> cases;

private:
  const Plan &plan_;
};

} // namespace

Result<std::vector<Case>> kernelCases(const Plan &plan) {
  Cases cases(plan);
  // The feed-forward of a 0.6 B model, and the small model of the
  // demonstration.
  const int64_t n = 3072;
  const int64_t k = 1024;
  NIBBLE_TRY(cases.linear(1, n * 8, k, Cases::int4(n * 8, k, 32), Limit::kNone,
                          6.5e9));
  NIBBLE_TRY(cases.linear(8, n, k, Cases::int4(n, k, 32), Limit::kFma, 0.45));
  NIBBLE_TRY(cases.linear(32, n, k, Cases::int4(n, k, 32), Limit::kFma, 0.65));
  NIBBLE_TRY(cases.linear(128, n, k, Cases::int4(n, k, 32), Limit::kFma, 0.75));
  NIBBLE_TRY(cases.linear(128, k, n, Cases::int4(k, n, 32), Limit::kFma, 0.75));
  NIBBLE_TRY(cases.linear(8, k, n, Cases::int4(k, n, 32), Limit::kFma, 0.45));
  NIBBLE_TRY(
      cases.linear(128, n, k, Cases::plain(n, k, "bf16"), Limit::kFma, 0.75));
  NIBBLE_TRY(
      cases.linear(128, k, n, Cases::plain(k, n, "bf16"), Limit::kFma, 0.75));
  NIBBLE_TRY(cases.linear(2048, 512, 192, Cases::int4(512, 192, 32),
                          Limit::kFma, 0.5));
  NIBBLE_TRY(cases.linear(2048, 192, 512, Cases::int4(192, 512, 32),
                          Limit::kFma, 0.5));
  NIBBLE_TRY(cases.inputGrad(128, n, k, Cases::int4(n, k, 32), 0.65));
  NIBBLE_TRY(cases.inputGrad(128, n, k, Cases::plain(n, k, "bf16"), 0.65));
  NIBBLE_TRY(cases.inputGrad(2048, 512, 192, Cases::int4(512, 192, 32), 0.5));
  NIBBLE_TRY(cases.weightGrad(128, n, k, 0.65));
  NIBBLE_TRY(cases.weightGrad(2048, 512, 192, 0.5));
  NIBBLE_TRY(cases.quantize(n * 32, k, 32, 0.60));
  NIBBLE_TRY(cases.quantize(n * 32, k, 128, 0.60));
  return std::move(cases.cases);
}

} // namespace nibble::benchmarks
