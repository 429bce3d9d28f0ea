// One program from a bundle gives the same bits on every target.
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/open_bundle.h"
#include "test/runtime/bundle/small_program.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/cts/conformance.h"

#include <cstdlib>
#include <omp.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct ProgramConformance : testing::TestWithParam<std::string> {
  TemporaryFolder folder;
  Arena arena;

  // The device's program is handmade, with the kernels of this suite. The
  // compiler makes the host's program.
  void write(const std::string &path) {
    if (GetParam() == "host") {
      std::string command = NIBBLE_TOOL " compile " +
                            inputFile("Inputs/add.mlir") +
                            " --program=none -o " + path;
      ASSERT_EQ(std::system((command + " > /dev/null").c_str()), 0);
      return;
    }
    DeviceProgram program;
    program.kernels = {{"add", 128, 0, 1, false}};
    program.image = kernelImage();
    ProgramFunction main;
    main.name = "main";
    main.arguments = {
        {"x", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}},
        {"bias", "", NIBBLE_ROLE_PARAMETER, NIBBLE_DTYPE_F32, {-1}}};
    main.results = {{"out", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}}};
    main.registers = 4;
    main.buffers = 3;
    main.commands = {makeCommand(Opcode::kExtent, 0, 0, {0}),
                     makeCommand(Opcode::kConstant, 1, 128),
                     makeCommand(Opcode::kConstant, 2, 1),
                     makeCommand(Opcode::kCeilDiv, 3, 0, {0, 1}),
                     makeCommand(Opcode::kAllocate, 2, 0, {0}),
                     launchAdd(3, 2, 0, 1, 2, 0)};
    main.returned = {2};
    program.functions = {main};
    EXPECT_OK(writeBundle(path, program, GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(Targets, ProgramConformance,
                         testing::Values("host", "simt", "cuda"),
                         [](auto &info) { return info.param; });

TEST_P(ProgramConformance, GivesTheSameBits) {
  if (GetParam() == "host") {
    if (!std::filesystem::exists(NIBBLE_TOOL))
      GTEST_SKIP() << "no compiler makes the host's program here: " NIBBLE_TOOL;
  } else if (auto opened = openDevice(GetParam()); !opened.isOk())
    GTEST_SKIP() << opened.status().message();
  // The host's program finds OpenMP in this process.
  EXPECT_GT(omp_get_max_threads(), 0);
  std::string path = (folder / "add.nbl").string();
  write(path);
  auto program = openBundle(path);
  ASSERT_TRUE(program.isOk()) << program.status().message();
  auto main = program->function("main");
  ASSERT_TRUE(main.isOk());
  // Repeats until devices record the call.
  for (int64_t n : {0, 1, 127, 128, 1000, 1000, 1000, 1000, 1000}) {
    std::vector<float> x(n), bias(n);
    for (int64_t i = 0; i < n; ++i) {
      x[i] = static_cast<float>(i) * 0.37f;
      bias[i] = 1e-3f / static_cast<float>(i + 1);
    }
    auto view = [](std::vector<float> &values) {
      return TensorView{DType::kF32,
                        {static_cast<int64_t>(values.size())},
                        reinterpret_cast<std::byte *>(values.data())};
    };
    EXPECT_OK(main->bind("x", view(x)));
    EXPECT_OK(main->bind("bias", view(bias)));
    auto results = main->call(arena);
    ASSERT_TRUE(results.isOk()) << results.status().message();
    ASSERT_EQ((*results)[0].shape, Shape{n});
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ((*results)[0].as<float>()[i], x[i] + bias[i]) << i;
    // Destroyed before the program.
    if (auto residence = program->residence())
      residence->forget(view(bias));
    arena.reset();
  }
}

} // namespace
