// Runs recorded cases (test/passes/LowerToHopper with NIBBLE_RECORD=DIR) on a
// device, without a compiler. It compares every result with the reference's.
// Every row must give the same bits alone and in part of the batch.
//
//     nibble-replay TARGET DIR...
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/device/device_backend.h"
#include "test/device/recorded_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nibble::test {

namespace {

// |a - b|| / ||b||, or infinity when there is a NaN.
double relativeError(const std::vector<double> &a, const TensorView &b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double expected = b.as<double>()[i];
    difference += (a[i] - expected) * (a[i] - expected);
    norm += expected * expected;
  }
  if (std::isnan(difference))
    return INFINITY;
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

Result<std::vector<Tensor>> callWith(Program &program, const RecordedCase &c,
                                     const std::vector<Tensor> &arguments) {
  NIBBLE_ASSIGN(Function function, program.function("f"));
  std::vector<Tensor> own;
  for (const Tensor &argument : arguments) {
    NIBBLE_ASSIGN(Tensor copy,
                  Tensor::create(argument.dtype(), argument.shape()));
    std::memcpy(copy.data(), argument.data(),
                static_cast<size_t>(argument.bytes()));
    own.push_back(std::move(copy));
  }
  for (size_t i = 0; i < own.size(); ++i)
    NIBBLE_TRY(function.bind(static_cast<int>(i), own[i].view()));
  Arena arena;
  NIBBLE_ASSIGN(auto views, function.call(arena));
  std::vector<Tensor> results;
  auto keep = [&](const TensorView &view) -> Status {
    NIBBLE_ASSIGN(Tensor copy, Tensor::create(view.dtype, view.shape));
    std::memcpy(copy.data(), view.data, static_cast<size_t>(view.bytes()));
    results.push_back(std::move(copy));
    return Status::ok();
  };
  for (const TensorView &view : views)
    NIBBLE_TRY(keep(view));
  std::shared_ptr<Residence> residence = program.residence();
  for (auto [argument, result] : c.inPlace) {
    NIBBLE_TRY(residence->fetch(own[argument].view()));
    NIBBLE_TRY(keep(own[argument].view()));
    std::rotate(results.begin() + result, results.end() - 1, results.end());
  }
  for (const Tensor &tensor : own)
    residence->forget(tensor.view());
  return results;
}

Result<Tensor> rowsOf(const Tensor &tensor, int64_t first, int64_t last) {
  Shape shape = tensor.shape();
  int64_t rowBytes = shape[0] ? tensor.bytes() / shape[0] : 0;
  shape[0] = last - first;
  NIBBLE_ASSIGN(Tensor rows, Tensor::create(tensor.dtype(), shape));
  std::memcpy(rows.data(), tensor.data() + first * rowBytes,
              static_cast<size_t>(rows.bytes()));
  return rows;
}

// Returns false when a result is too far off or a row's bits depend on other
// rows.
Result<bool> replay(const std::string &folder,
                    const std::shared_ptr<DeviceResidence> &residence) {
  NIBBLE_ASSIGN(RecordedCase c, RecordedCase::read(folder));
  NIBBLE_ASSIGN(Bundle bundle, readBundle(folder + "/program.nbl"));
  NIBBLE_ASSIGN(DeviceProgram device, deviceProgramOf(bundle, folder));
  NIBBLE_ASSIGN(Program program,
                loadDeviceProgram(std::move(device), residence));
  NIBBLE_ASSIGN(std::vector<Tensor> results, callWith(program, c, c.arguments));
  bool fine = results.size() == c.expected.size();
  std::string text;
  for (size_t i = 0; fine && i < results.size(); ++i) {
    double error =
        relativeError(numbersOf(results[i].view()), c.expected[i].view());
    fine &= c.bounds[i] > 0 ? error < c.bounds[i] : error == 0;
    text += fmt::format(" {:.2e}", error);
  }
  for (auto [first, last] : c.parts) {
    std::vector<Tensor> part;
    for (size_t i = 0; i < c.arguments.size(); ++i) {
      bool cut = std::find(c.perToken.begin(), c.perToken.end(),
                           static_cast<int>(i)) != c.perToken.end();
      NIBBLE_ASSIGN(Tensor piece,
                    cut ? rowsOf(c.arguments[i], first, last)
                        : rowsOf(c.arguments[i], 0, c.arguments[i].shape()[0]));
      part.push_back(std::move(piece));
    }
    NIBBLE_ASSIGN(std::vector<Tensor> alone, callWith(program, c, part));
    for (size_t i = 0; i < alone.size(); ++i) {
      NIBBLE_ASSIGN(Tensor rows, rowsOf(results[i], first, last));
      bool same = std::memcmp(rows.data(), alone[i].data(),
                              static_cast<size_t>(rows.bytes())) == 0;
      fine &= same;
      text += same ? " same"
                   : fmt::format(" DIFFERENT in tokens {} to {}", first, last);
    }
  }
  fmt::print("{} {}:{}\n", fine ? "ok  " : "FAIL", c.name, text);
  return fine;
}

Result<int> replayAll(const std::string &target, std::span<char *> folders) {
  NIBBLE_ASSIGN(std::shared_ptr<Device> device, openDevice(target));
  fmt::print("{}\n", device->describe());
  auto residence = std::make_shared<DeviceResidence>(std::move(device));
  int failed = 0;
  for (char *folder : folders) {
    auto fine = replay(folder, residence);
    if (!fine.isOk())
      fmt::print("FAIL {}: {}\n", folder, fine.status().message());
    failed += !fine.isOk() || !*fine;
    // Keeps the order with the output of a tool that watches the device.
    std::fflush(stdout);
  }
  fmt::print("{} of {} cases failed\n", failed, folders.size());
  return failed;
}

} // namespace

} // namespace nibble::test

int main(int argc, char **argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: nibble-replay TARGET DIR...\n");
    return 2;
  }
  auto failed = nibble::test::replayAll(
      argv[1], {argv + 2, static_cast<size_t>(argc - 2)});
  if (!failed.isOk()) {
    fmt::print(stderr, "nibble-replay: {}\n", failed.status().message());
    return 4;
  }
  return *failed ? 1 : 0;
}
