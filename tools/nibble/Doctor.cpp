// nibble doctor: checks whether this machine is suitable. It prints one line
// for each check.
#include "tools/nibble/Commands.h"

#include "lib/Driver/Session.h"
#include "lib/Target/Host/Machine.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <dlfcn.h>
#include <omp.h>

#include <cstdlib>
#include <fstream>

namespace nibble {

namespace {

// y = x + x over 64 elements, compiled and run. This exercises the whole path
// from text to machine code.
constexpr const char *kProbe = R"(
func.func @probe(%x: tensor<64xf32> {nn.input = "x"}) -> (tensor<64xf32> {nn.output = "y"}) {
  %y = arith.addf %x, %x : tensor<64xf32>
  return %y : tensor<64xf32>
}
)";

Status probeCompiler() {
  Session session;
  NIBBLE_ASSIGN(auto module, session.parseText(kProbe, "probe"));
  NIBBLE_ASSIGN(Program program, session.compileForHost(*module));
  NIBBLE_ASSIGN(Function function, program.function("probe"));
  std::vector<float> x(64);
  for (int i = 0; i < 64; ++i)
    x[i] = static_cast<float>(i);
  NIBBLE_TRY(function.bind(
      "x",
      TensorView{DType::kF32, {64}, reinterpret_cast<std::byte *>(x.data())}));
  Arena arena;
  NIBBLE_ASSIGN(auto results, function.call(arena));
  for (int i = 0; i < 64; ++i)
    if (results[0].as<float>()[i] != static_cast<float>(2 * i))
      return Status::failed(
          "compiled code gave a wrong sum; install clang-22 and LLVM 22 anew");
  return Status::ok();
}

// A value of /proc/meminfo in MB; 0 when it is missing. The system's file cache
// counts as available there.
uint64_t memoryMegabytes(const std::string &key) {
  std::ifstream file("/proc/meminfo");
  uint64_t kilobytes = 0;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key))
      kilobytes = std::strtoull(line.c_str() + key.size(), nullptr, 10);
  return kilobytes >> 10;
}

Status doctor() {
  host::Cpu cpu = host::describeCpu();
  bool fit = true;
  auto line = [&](const char *what, bool ok, const std::string &text) {
    fmt::print("{:<10} {:<5} {}\n", what, ok ? "ok" : "BAD", text);
    fit &= ok;
  };
  bool avx2 = llvm::StringRef(cpu.features).contains("+avx2") &&
              llvm::StringRef(cpu.features).contains("+fma");
  line("nibble", true, NIBBLE_VERSION);
  line("cpu", avx2,
       fmt::format("{}, {} float32 a vector{}", cpu.target.name,
                   cpu.target.vectorFloats,
                   avx2 ? "" : "; needs AVX2 and FMA: run on a newer machine"));
  line("caches", true,
       fmt::format("L1 {} KiB, L2 {} KiB a core", cpu.target.l1Bytes >> 10,
                   cpu.target.l2Bytes >> 10));
  line("threads", true,
       fmt::format("{} (OMP_NUM_THREADS or run.threads changes it)",
                   omp_get_max_threads()));
  line("memory", true,
       fmt::format("{} MiB, {} available", memoryMegabytes("MemTotal:"),
                   memoryMegabytes("MemAvailable:")));
  Status compiler = probeCompiler();
  line("compiler", compiler.isOk(),
       compiler.isOk() ? "LLVM " NIBBLE_LLVM_VERSION
                         ", compiled and ran a function"
                       : compiler.message());
  void *cuda = dlopen("libcuda.so.1", RTLD_LAZY);
  line("cuda", true,
       cuda ? "driver found" : "no driver; programs run on the CPU");
  if (cuda)
    dlclose(cuda);
  return fit ? Status::ok()
             : Status::environment(
                   "this machine is not fit; see the lines marked BAD");
}

} // namespace

void addDoctor(CLI::App &app, Status &status) {
  auto *command =
      app.add_subcommand("doctor", "Look whether this machine is fit.");
  command->callback([&status] { status = doctor(); });
}

} // namespace nibble
