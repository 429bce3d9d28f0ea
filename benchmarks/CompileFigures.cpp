// How long compiling takes, and that it hardly grows with the number of layers.
#include "benchmarks/Figure.h"
#include "benchmarks/RandomModel.h"

#include <regex>

namespace nibble::benchmarks {

static Result<Seconds> timeCompile(int64_t layers, int repetitions) {
  NIBBLE_ASSIGN(ModelConfig config, qwenShape(layers));
  ProgramOptions options;
  options.train = options.rollout = everythingInt4();
  return timeCalls(repetitions, [&]() -> Status {
    Session session;
    NIBBLE_ASSIGN(Program program, ModelCompiler(session, config, options).rollout());
    return Status::ok();
  });
}

Result<std::vector<nlohmann::ordered_json>> compileFigures(const std::string &filter, int repetitions) {
  std::vector<nlohmann::ordered_json> lines;
  if (!std::regex_search("compile/qwen3-0.6b/rollout", std::regex(filter)))
    return lines;
  NIBBLE_ASSIGN(Seconds few, timeCompile(2, repetitions));
  NIBBLE_ASSIGN(Seconds many, timeCompile(28, repetitions));
  double ratio = many.median / few.median;
  lines.push_back({{"name", "compile/qwen3-0.6b/rollout"},
                   {"unit", "s"},
                   {"layers_2", few.median},
                   {"layers_28", many.median},
                   {"ratio", ratio},
                   {"goal", 1.5},
                   {"reached", ratio <= 1.5}});
  return lines;
}

} // namespace nibble::benchmarks
