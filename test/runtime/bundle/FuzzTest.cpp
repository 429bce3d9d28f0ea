// Programs with one change are either refused or planned without harm.
#include "runtime/bundle/device/call_plan.h"
#include "test/runtime/bundle/small_program.h"

#include <gtest/gtest.h>

#include <random>

using namespace nibble;
using namespace nibble::test;

namespace {

// Everything in a plan refers to that plan, and every buffer lies in the arena.
void expectSound(const DeviceProgram &program, const CallPlan &plan) {
  auto count = static_cast<int32_t>(plan.buffers.size());
  for (const PlannedBuffer &buffer : plan.buffers)
    if (buffer.place == PlannedBuffer::Place::kArena ||
        buffer.place == PlannedBuffer::Place::kInput)
      if (buffer.end != buffer.begin)
        ASSERT_LE(buffer.offset + buffer.bytes, plan.arenaBytes);
  for (const PlannedCommand &command : plan.commands) {
    if (command.kind != PlannedCommand::Kind::kLaunch) {
      ASSERT_TRUE(command.to >= 0 && command.to < count);
      continue;
    }
    ASSERT_LT(command.kernel, static_cast<int32_t>(program.kernels.size()));
    for (const PlannedArgument &argument : command.arguments)
      if (const auto *pointer = std::get_if<PlannedPointer>(&argument))
        ASSERT_TRUE(pointer->buffer >= 0 && pointer->buffer < count);
  }
  for (int32_t result : plan.results)
    ASSERT_TRUE(result >= 0 && result < count);
}

TEST(Fuzz, ChangedTextIsRefusedOrSound) {
  std::string text = toJson(smallProgram());
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = text;
    for (unsigned i = 0, edits = 1 + random() % 2; i < edits; ++i) {
      size_t at = random() % changed.size();
      if (std::isdigit(static_cast<unsigned char>(changed[at])))
        changed[at] = static_cast<char>('0' + random() % 10);
      else if (random() % 8 == 0)
        changed[at] = static_cast<char>(random());
      else
        changed.insert(at,
                       std::string(1, "0123456789,[]{}:-\""[random() % 18]));
    }
    auto program = parseDeviceProgram(changed, "fuzz");
    if (!program.isOk())
      continue;
    for (size_t f = 0; f < program->functions.size(); ++f) {
      std::vector<Shape> shapes;
      for (const ProgramValue &value : program->functions[f].arguments) {
        shapes.push_back(value.shape);
        for (int64_t &extent : shapes.back())
          extent = extent < 0 ? 1000 : extent;
      }
      auto plan = planCall(*program, static_cast<int>(f), shapes);
      if (!plan.isOk())
        continue;
      ++accepted;
      expectSound(*program, *plan);
      EXPECT_FALSE(describe(*program, static_cast<int>(f), *plan).empty());
    }
  }
  EXPECT_GT(accepted, 100);
}

} // namespace
