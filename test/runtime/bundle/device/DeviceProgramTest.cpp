// Device programs read back from their text. Unsound ones are refused.
#include "runtime/bundle/base64.h"
#include "runtime/bundle/device/device_program.h"
#include "test/runtime/bundle/small_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

// The program with a tensor map and a constant, which uses every field.
DeviceProgram fullProgram() {
  DeviceProgram program = smallProgram();
  program.constants = {{NIBBLE_DTYPE_BF16,
                        {2, 3},
                        std::string("\0\1\2\3\4\5\6\7\xff\x80zz", 12)}};
  ProgramFunction &main = program.functions[0];
  main.buffers = 5;
  main.registers = 5;
  main.commands.push_back(makeCommand(Opcode::kConstantBuffer, 4, 0));
  Command launch = makeCommand(Opcode::kLaunch, -1, 0, {3, 2, 2});
  CommandArgument map;
  map.kind = CommandArgument::kTensorMap;
  map.map.buffer = 4;
  map.map.extents = {2, 2, 0, 0, 0};
  map.map.strides = {1, 0, 0, 0};
  map.map.box = {32, 8, 0, 0, 0};
  map.map.swizzle = 64;
  launch.arguments = {map};
  main.commands.push_back(launch);
  return program;
}

TEST(DeviceProgram, ComesBackFromItsText) {
  std::string text = toJson(fullProgram());
  auto program = parseDeviceProgram(text, "here");
  ASSERT_TRUE(program.isOk()) << program.status().message();
  EXPECT_EQ(toJson(*program), text);
  EXPECT_EQ(program->constants[0].bytes, fullProgram().constants[0].bytes);
}

TEST(DeviceProgram, EveryCutOfTheTextIsRefused) {
  std::string text = toJson(fullProgram());
  for (size_t length = 0; length + 1 < text.size(); length += 7)
    EXPECT_FALSE(parseDeviceProgram(text.substr(0, length), "cut").isOk())
        << length;
}

TEST(DeviceProgram, RefusesWhatIsNotSound) {
  auto refused = [](auto &&change, const char *what) {
    DeviceProgram program = fullProgram();
    change(program);
    Status status = check(program);
    EXPECT_EQ(status.code(), Code::kBadInput);
    EXPECT_THAT(status.message(), HasSubstr(what));
    auto parsed = parseDeviceProgram(toJson(program), "here");
    EXPECT_FALSE(parsed.isOk());
  };
  auto commands = [](DeviceProgram &p) -> std::vector<Command> & {
    return p.functions[0].commands;
  };
  refused([](auto &p) { p.kernels[0].threads = 2048; }, "'add'");
  refused([](auto &p) { p.kernels[0].sharedBytes = 1 << 20; }, "shared memory");
  refused([](auto &p) { p.kernels[0].table = 4096; }, "a table of 4096 values");
  refused([](auto &p) { p.kernels[0].table = 9; }, "for a table of 9");
  refused([](auto &p) { p.kernels[0].table = 1; }, "a tensor map in a table");
  refused([](auto &p) { p.constants[0].bytes += 'x'; }, "constant 0");
  refused([](auto &p) { p.functions[1].name = "main"; }, "two functions");
  refused([&](auto &p) { commands(p)[1].operands = {9}; },
          "function 'main': command 1 uses buffer 9");
  refused([&](auto &p) { commands(p)[1].value = 1; },
          "command 1 names the extent 1");
  refused([&](auto &p) { commands(p)[2].result = 0; }, "assigns register 0");
  refused([&](auto &p) { commands(p)[4].operands = {0, 4}; },
          "reads register 4");
  refused([&](auto &p) { commands(p)[5].value = 1; }, "names kernel 1");
  refused([&](auto &p) { commands(p)[0].value = 7; }, "names function 7");
  refused([&](auto &p) { commands(p)[0].value = 0; }, "operands");
  refused([&](auto &p) { commands(p)[0].results = {}; },
          "another number of results");
  refused(
      [&](auto &p) {
        commands(p).push_back(makeCommand(Opcode::kRelease, -1, 0, {0}));
      },
      "is an argument");
  refused(
      [&](auto &p) {
        commands(p).push_back(makeCommand(Opcode::kRelease, -1, 0, {3}));
      },
      "returns: uses buffer 3 after its release");
  refused([&](auto &p) { commands(p).back().arguments[0].map.swizzle = 48; },
          "swizzle 48");
  refused([&](auto &p) { commands(p).back().arguments[0].map.box[0] = 64; },
          "wider than its swizzle");
  refused([&](auto &p) { commands(p).back().arguments[0].map.box[1] = 300; },
          "box of 300");
  refused([](auto &p) { p.functions[0].returned = {}; },
          "returns another number");
  refused(
      [](auto &p) {
        p.functions[1].commands.push_back(p.functions[0].commands[0]);
      },
      "");
}

TEST(DeviceProgram, RefusesCallsInACircle) {
  DeviceProgram program = smallProgram();
  Command call = makeCommand(Opcode::kCall, -1, 1, {0, 1});
  call.results = {4};
  program.functions[1].buffers = 5;
  program.functions[1].commands.push_back(call);
  EXPECT_THAT(check(program).message(), HasSubstr("calls in a circle"));
}

TEST(Base64, EveryLengthComesBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(fromBase64(base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
  EXPECT_EQ(base64("foob"), "Zm9vYg=="); // RFC 4648, section 10
  EXPECT_EQ(fromBase64("Zm9v!g=="), std::nullopt);
  EXPECT_EQ(fromBase64("Zm9"), std::nullopt);
}

} // namespace
