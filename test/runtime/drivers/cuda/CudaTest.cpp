// The CUDA device on a fake libcuda: calls, copies and errors.
#include "runtime/drivers/cuda/cuda.h"
#include "runtime/core/file.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <dlfcn.h>

using namespace nibble;
using namespace nibble::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct CudaTest : testing::Test {
  TemporaryFolder folder;
  CudaOptions options;
  std::vector<std::string> warnings;
  std::vector<std::string> variables;
  void *fake = dlopen(NIBBLE_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);

  void SetUp() override {
    ASSERT_NE(fake, nullptr) << dlerror();
    options.library = NIBBLE_FAKE_CUDA;
    options.cacheFolder = (folder / "cache").string();
    options.warn = [this](const std::string &line) {
      warnings.push_back(line);
    };
    for (const char *name : {"cuLinkComplete", "cuTensorMapEncodeTiled",
                             "cuGraphLaunch", "cuStreamSynchronize"})
      calls(name);
    lastLaunch();
  }
  void TearDown() override {
    for (const std::string &name : variables)
      unsetenv(name.c_str());
    dlclose(fake);
  }
  void set(const std::string &name, const std::string &value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables.push_back(name);
  }
  int calls(const char *name) {
    return reinterpret_cast<int (*)(const char *)>(
        dlsym(fake, "fakeCudaCalls"))(name);
  }
  std::string lastLaunch() {
    return reinterpret_cast<const char *(*)()>(dlsym(fake, "fakeCudaLaunch"))();
  }

  Status opening() {
    return Result<std::shared_ptr<Device>>(openCuda(options)).status();
  }
  std::shared_ptr<Device> device() {
    auto opened = openCuda(options);
    EXPECT_TRUE(opened.isOk()) << opened.status().message();
    return opened.isOk() ? *opened : nullptr;
  }
  KernelImage image(const std::string &more = "") {
    return {"kernels", ".entry add( .entry mapped( .entry tabled( " + more, "",
            "sm_90a"};
  }
  std::unique_ptr<DeviceModule> load(Device &device) {
    auto module = device.load(
        image(), std::vector<std::string>{"add", "mapped", "tabled"});
    EXPECT_TRUE(module.isOk()) << module.status().message();
    return module.isOk() ? *std::move(module) : nullptr;
  }
};

TEST_F(CudaTest, SaysWhatTheMachineLacks) {
  auto refused = [&](const std::string &variable, const std::string &value,
                     const char *what) {
    set(variable, value);
    Status status = opening();
    EXPECT_EQ(status.code(), Code::kEnvironment);
    EXPECT_THAT(status.message(), HasSubstr(what));
    unsetenv(variable.c_str());
  };
  refused(
      "FAKE_CUDA_VERSION", "11080",
      "the driver is for CUDA 11.8, at least CUDA 12.3 (driver 545) is needed");
  refused("FAKE_CUDA_DEVICES", "0", "sees no device");
  refused("FAKE_CUDA_FAIL", "cuInit=100", "sees no device");
  refused("FAKE_CUDA_FAIL", "cuInit=999",
          "cuInit: CUDA_ERROR_OTHER (as the driver says)");
  refused("FAKE_CUDA_CAPABILITY", "80", "Fake H200 has compute capability 8.0");
  refused("FAKE_CUDA_CAPABILITY", "100", "compute capability 10.0");
  refused("FAKE_CUDA_MISSING", "cuLaunchKernelEx", "has no cuLaunchKernelEx");
  options.device = 3;
  refused("FAKE_CUDA_DEVICES", "2", "there is no device 3, the driver sees 2");
  options.library = "libno-such-driver.so.1";
  refused("FAKE_CUDA_DEVICES", "2", "cannot load libno-such-driver.so.1");
  options.library = "libm.so.6";
  refused("FAKE_CUDA_DEVICES", "2", "libm.so.6 is no CUDA driver");
}

TEST_F(CudaTest, OpensByNameWithTheEnvironmentsOptions) {
  set("NIBBLE_LIBCUDA", NIBBLE_FAKE_CUDA);
  auto opened = openDevice("cuda");
  ASSERT_TRUE(opened.isOk()) << opened.status().message();
  EXPECT_EQ((*opened)->describe(),
            "Fake H200, 132 multiprocessors, 150.0 GiB, driver 13.0");
  EXPECT_EQ((*opened)->memory().free, 1000);
  DeviceLimits limits = (*opened)->limits();
  EXPECT_DOUBLE_EQ(limits.bytesPerSecond, 3.201e9 * 2 * 6144 / 8);
  EXPECT_DOUBLE_EQ(limits.operationsPerSecond, 1.98e9 * 132 * 4096);
  EXPECT_EQ(limits.cacheBytes, 50 << 20);
  set("NIBBLE_CUDA_DEVICE", "first");
  EXPECT_EQ(openDevice("cuda").status().code(), Code::kUsage);
  EXPECT_EQ(openDevice("tpu").status().code(), Code::kEnvironment);
}

TEST_F(CudaTest, MovesMemorySmallAndLarge) {
  auto cuda = device();
  for (size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{3} << 20}) {
    std::vector<char> from(size), to(size);
    for (size_t i = 0; i < size; ++i)
      from[i] = static_cast<char>(i * 7);
    auto a = cuda->allocate(static_cast<int64_t>(size), "a"),
         b = cuda->allocate(static_cast<int64_t>(size), "b");
    ASSERT_TRUE(a.isOk() && b.isOk());
    EXPECT_EQ(*a % 256, 0u);
    ASSERT_TRUE(
        cuda->upload(*a, from.data(), static_cast<int64_t>(size)).isOk());
    ASSERT_TRUE(cuda->copy(*b, *a, static_cast<int64_t>(size)).isOk());
    ASSERT_TRUE(
        cuda->download(to.data(), *b, static_cast<int64_t>(size)).isOk());
    EXPECT_EQ(from, to);
    cuda->release(*a);
    cuda->release(*b);
  }
}

// Small uploads go through pinned memory, which is reused many times.
TEST_F(CudaTest, ManySmallUploadsKeepTheirBytes) {
  auto cuda = device();
  DeviceAddress address = *cuda->allocate(64 << 20, "much");
  std::vector<char> piece(300'000);
  std::vector<char> back(piece.size());
  for (int i = 0; i < 100; ++i) {
    std::fill(piece.begin(), piece.end(), static_cast<char>(i));
    ASSERT_TRUE(cuda->upload(address + i * piece.size(), piece.data(),
                             static_cast<int64_t>(piece.size()))
                    .isOk());
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(cuda->download(back.data(), address + i * piece.size(),
                               static_cast<int64_t>(back.size()))
                    .isOk());
    EXPECT_EQ(back.front(), static_cast<char>(i));
    EXPECT_EQ(back.back(), static_cast<char>(i));
  }
  cuda->release(address);
}

TEST_F(CudaTest, OutOfMemoryNamesWhatIsAskedAndWhatIsFree) {
  auto cuda = device();
  set("FAKE_CUDA_FAIL", "cuMemAlloc=2");
  Status status = cuda->allocate(123456, "key and value cache").status();
  EXPECT_EQ(status.code(), Code::kEnvironment);
  EXPECT_THAT(status.message(),
              HasSubstr("no memory for 123456 bytes of key and value cache; "
                        "1000 of 5000 bytes are free"));
}

TEST_F(CudaTest, KernelsAreAssembledOnceAndKept) {
  load(*device());
  EXPECT_EQ(calls("cuLinkComplete"), 1);
  load(*device());
  EXPECT_EQ(calls("cuLinkComplete"), 0); // found in the cache
  set("FAKE_CUDA_VERSION", "13010");
  load(*device());
  EXPECT_EQ(calls("cuLinkComplete"), 1); // another driver version
  unsetenv("FAKE_CUDA_VERSION");

  auto names = listFolder(options.cacheFolder);
  ASSERT_TRUE(names.isOk());
  ASSERT_EQ(names->size(), 2u);
  for (const std::string &name : *names) {
    std::string path = options.cacheFolder + "/" + name;
    std::string content = *readFile(path);
    content.back() ^= 1;
    ASSERT_TRUE(writeFileAtomically(path, content).isOk());
  }
  EXPECT_TRUE(warnings.empty());
  load(*device());
  EXPECT_EQ(calls("cuLinkComplete"), 1);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("damaged"));
  load(*device());
  EXPECT_EQ(calls("cuLinkComplete"), 0); // the entry was repaired
}

TEST_F(CudaTest, WithoutACacheFolderKernelsAreAssembledEachTime) {
  options.cacheFolder = "/proc/no-such-place";
  load(*device());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("kernels are not kept"));
  options.cacheFolder = "";
  load(*device());
  EXPECT_EQ(warnings.size(), 1u);
  EXPECT_EQ(calls("cuLinkComplete"), 2);
}

TEST_F(CudaTest, MachineCodeOfTheImageIsTakenFirst) {
  auto cuda = device();
  KernelImage both = image();
  both.cubin = "FAKECUBIN .entry add(";
  EXPECT_TRUE(cuda->load(both, std::vector<std::string>{"add"}).isOk());
  EXPECT_EQ(calls("cuLinkComplete"), 0);
  both.cubin = "of another driver";
  EXPECT_TRUE(cuda->load(both, std::vector<std::string>{"add"}).isOk());
  EXPECT_EQ(calls("cuLinkComplete"), 1);
}

TEST_F(CudaTest, SaysWhyKernelsCannotBeLoaded) {
  auto cuda = device();
  std::vector<std::string> add = {"add"};
  std::vector<std::string> other = {"other"};
  Status nonsense = cuda->load(image("nonsense"), add).status();
  EXPECT_EQ(nonsense.code(), Code::kBadInput);
  EXPECT_THAT(nonsense.message(),
              HasSubstr("cuLinkAddData of kernels: CUDA_ERROR_INVALID_PTX (as "
                        "the driver says): ptxas "
                        "application ptx input, line 7; fatal: Parsing error "
                        "near 'nonsense'"));
  Status missing = cuda->load(image(), other).status();
  EXPECT_EQ(missing.code(), Code::kBadInput);
  EXPECT_THAT(missing.message(), HasSubstr("no kernel 'other'"));
  KernelImage blackwell = image();
  blackwell.target = "sm_100a";
  Status wrong = cuda->load(blackwell, add).status();
  EXPECT_EQ(wrong.code(), Code::kEnvironment);
  EXPECT_THAT(wrong.message(),
              HasSubstr("are for sm_100a, this device is sm_90a"));
  set("FAKE_CUDA_FAIL", "cuLinkAddData=222,cuModuleLoadDataEx=222");
  Status old = cuda->load(image("newer"), add).status();
  EXPECT_EQ(old.code(), Code::kEnvironment);
  EXPECT_THAT(old.message(), HasSubstr("update the NVIDIA driver"));
}

TEST_F(CudaTest, ALinkerThatFailsIsPassedBy) {
  auto cuda = device();
  set("FAKE_CUDA_FAIL", "cuLinkComplete=1");
  EXPECT_NE(load(*cuda), nullptr);
  EXPECT_EQ(listFolder(options.cacheFolder).isOk() &&
                !listFolder(options.cacheFolder)->empty(),
            false);
}

TEST_F(CudaTest, LaunchesAsAsked) {
  auto cuda = device();
  auto module = load(*cuda);
  Launch launch{{3, 1, 1}, 128, 100'000, 16, true};
  TensorMap map{*cuda->allocate(4096, "a"), 2, 2, {64, 8}, {128}, {64, 8}, 128};
  KernelArgument arguments[] = {map};
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(cuda->launch(*module, 1, launch, arguments).isOk());
  EXPECT_EQ(
      lastLaunch(),
      "attribute 14=1;mapped grid 3 threads 128 shared 100000 cluster 16 "
      "overlap 1 map 23"
      "mapped grid 3 threads 128 shared 100000 cluster 16 overlap 1 map 23");
  EXPECT_EQ(calls("cuTensorMapEncodeTiled"), 1);
  launch.grid[1] = 0;
  ASSERT_TRUE(cuda->launch(*module, 1, launch, arguments).isOk());
  EXPECT_EQ(lastLaunch(), "");
  EXPECT_EQ(cuda->launch(*module, 7, launch, arguments).code(), Code::kFailed);
  cuda->release(map.address);
}

TEST_F(CudaTest, ATableIsOneParameter) {
  auto cuda = device();
  auto module = load(*cuda);
  Launch launch{{1, 1, 1}, 32};
  launch.table = 3;
  KernelArgument arguments[] = {uint64_t{5}, uint64_t{70}, uint64_t{80},
                                uint64_t{90}};
  ASSERT_TRUE(cuda->launch(*module, 2, launch, arguments).isOk());
  EXPECT_THAT(lastLaunch(),
              HasSubstr("tabled grid 1 threads 32 shared 0 of 5: 70 80 90"));
  launch.table = 5;
  EXPECT_THAT(cuda->launch(*module, 2, launch, arguments).message(),
              HasSubstr("fewer than its table of 5"));
}

TEST_F(CudaTest, AFaultNamesTheKernelsThatMayHaveCausedIt) {
  auto cuda = device();
  auto module = load(*cuda);
  float value = 1;
  // The fake's memory is the host's.
  auto address = reinterpret_cast<uint64_t>(&value);
  KernelArgument arguments[] = {address, address, address, uint64_t{1}};
  Launch launch;
  launch.threads = 32;
  ASSERT_TRUE(cuda->launch(*module, 0, launch, arguments).isOk());
  set("FAKE_CUDA_FAIL", "cuStreamSynchronize=700");
  Status late = cuda->synchronize();
  EXPECT_EQ(late.code(), Code::kFailed);
  EXPECT_THAT(
      late.message(),
      HasSubstr("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (as the "
                "driver says); the last "
                "kernels were add; NIBBLE_CUDA_SYNC=1 tells which one it was"));
  set("FAKE_CUDA_FAIL", "cuLaunchKernelEx=701");
  EXPECT_THAT(
      cuda->launch(*module, 0, launch, arguments).message(),
      HasSubstr(
          "cuLaunchKernelEx add (1 x 1 x 1 blocks of 32 threads, 0 bytes)"));
  unsetenv("FAKE_CUDA_FAIL");

  options.synchronous = true;
  auto slow = device();
  module = load(*slow);
  set("FAKE_CUDA_FAIL", "cuStreamSynchronize=700");
  EXPECT_THAT(slow->launch(*module, 0, launch, arguments).message(),
              HasSubstr("; the last kernel was add"));
}

// This is not a fault of earlier kernels.
TEST_F(CudaTest, AnyCallMayFindNoMemory) {
  auto cuda = device();
  auto module = load(*cuda);
  float value = 1;
  auto address = reinterpret_cast<uint64_t>(&value);
  KernelArgument arguments[] = {address, address, address, uint64_t{1}};
  Launch launch;
  launch.threads = 32;
  ASSERT_TRUE(cuda->launch(*module, 0, launch, arguments).isOk());
  set("FAKE_CUDA_FAIL", "cuLaunchKernelEx=2,cuGraphInstantiateWithFlags=2");
  Status launched = cuda->launch(*module, 0, launch, arguments);
  ASSERT_TRUE(cuda->beginGraph().isOk());
  for (const Status &status : {launched, cuda->endGraph().status()}) {
    EXPECT_EQ(status.code(), Code::kEnvironment);
    EXPECT_THAT(status.message(),
                HasSubstr("CUDA_ERROR_OUT_OF_MEMORY (as the driver says); use "
                          "a smaller batch"));
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("the last kernel")));
  }
}

TEST_F(CudaTest, AGraphRunsWhatWasRecorded) {
  auto cuda = device();
  auto module = load(*cuda);
  DeviceAddress memory = *cuda->allocate(12, "numbers");
  float numbers[] = {1, 2, 0};
  KernelArgument arguments[] = {memory, memory + 4, memory + 4, uint64_t{1}};
  Launch launch;
  launch.threads = 32;
  ASSERT_TRUE(cuda->upload(memory, numbers, 12).isOk());
  ASSERT_TRUE(cuda->beginGraph().isOk());
  ASSERT_TRUE(cuda->launch(*module, 0, launch, arguments).isOk());
  ASSERT_TRUE(cuda->copy(memory + 8, memory + 4, 4).isOk());
  auto graph = cuda->endGraph();
  ASSERT_TRUE(graph.isOk() && *graph);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(cuda->run(**graph).isOk());
  ASSERT_TRUE(cuda->download(numbers, memory, 12).isOk());
  EXPECT_THAT(numbers, ElementsAre(1, 5, 5));
  set("FAKE_CUDA_FAIL", "cuStreamSynchronize=700");
  EXPECT_THAT(cuda->synchronize().message(),
              HasSubstr("the last kernels were add"));
  unsetenv("FAKE_CUDA_FAIL");
  cuda->release(memory);

  options.synchronous = true;
  auto slow = device();
  ASSERT_TRUE(slow->beginGraph().isOk());
  auto none = slow->endGraph();
  ASSERT_TRUE(none.isOk());
  EXPECT_EQ(*none, nullptr);
}

TEST_F(CudaTest, MeasuresBetweenMarks) {
  auto cuda = device();
  auto begin = cuda->mark(), end = cuda->mark();
  ASSERT_TRUE(begin.isOk() && end.isOk());
  EXPECT_EQ(*cuda->secondsBetween(**begin, **end), 0.0);
}

} // namespace
