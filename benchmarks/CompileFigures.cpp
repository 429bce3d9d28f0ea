// Measures compile time, and checks that it hardly grows with the number of
// layers.
#include "benchmarks/Figure.h"
#include "benchmarks/RandomModel.h"

namespace nibble::benchmarks {

static Result<Seconds> timeCompile(const Plan &plan, int64_t layers,
                                   bool training) {
  NIBBLE_ASSIGN(ModelConfig config, qwenShape(layers));
  ProgramOptions options;
  options.train = options.rollout = everythingInt4();
  options.host = plan.host;
  return timeCalls(plan.repetitions, [&]() -> Status {
    Session session;
    ModelCompiler compiler(session, config, options);
    NIBBLE_ASSIGN(Program program,
                  training ? compiler.training() : compiler.rollout());
    return Status::ok();
  });
}

Result<std::vector<Figure>> compileFigures(const Plan &plan) {
  std::vector<Figure> figures;
  for (bool training : {false, true}) {
    std::string name =
        std::string("compile/qwen3-0.6b/") + (training ? "train" : "rollout");
    if (!plan.wants(name))
      continue;
    NIBBLE_ASSIGN(Seconds few, timeCompile(plan, 2, training));
    NIBBLE_ASSIGN(Seconds many, timeCompile(plan, 28, training));
    double ratio = many.median / few.median;
    figures.push_back({{{"name", name},
                        {"unit", "s"},
                        {"layers_2", few.median},
                        {"layers_28", many.median},
                        {"ratio", ratio},
                        {"goal", 1.5},
                        {"reached", ratio <= 1.5}}});
  }
  return figures;
}

} // namespace nibble::benchmarks
