// Bundles read back as they were written. Damage of any kind is refused.
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/host_library.h"
#include "runtime/bundle/open_bundle.h"
#include "runtime/core/file.h"
#include "test/runtime/bundle/small_program.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

struct BundleTest : testing::Test {
  TemporaryFolder folder;
  std::string path = (folder.path() / "x.nbl").string();

  std::string written() {
    DeviceProgram program = smallProgram();
    program.image.cubin = std::string("\x7f"
                                      "ELF\0code",
                                      9);
    EXPECT_TRUE(writeBundle(path, program).isOk());
    return *readFile(path);
  }
  Status reading(std::string_view content) {
    EXPECT_TRUE(writeFileAtomically(path, content).isOk());
    auto bundle = readBundle(path);
    return bundle.isOk() ? Status::ok() : std::move(bundle).takeStatus();
  }
};

TEST_F(BundleTest, ADeviceProgramComesBack) {
  written();
  EXPECT_TRUE(isBundle(path));
  auto bundle = readBundle(path);
  ASSERT_TRUE(bundle.isOk()) << bundle.status().message();
  EXPECT_EQ(bundle->target, "cuda");
  auto program = deviceProgramOf(*bundle, path);
  ASSERT_TRUE(program.isOk()) << program.status().message();
  EXPECT_EQ(toJson(*program), toJson(smallProgram()));
  EXPECT_EQ(program->image.ptx, "ptx");
  EXPECT_EQ(program->image.cubin.size(), 9u);
  EXPECT_EQ(program->image.target, "sm_90a");
}

TEST_F(BundleTest, EveryCutIsRefused) {
  std::string content = written();
  for (size_t length = 0; length < content.size(); ++length) {
    Status status = reading(content.substr(0, length));
    ASSERT_EQ(status.code(), Code::kBadInput) << length;
    EXPECT_THAT(status.message(),
                HasSubstr(length < 8 ? "is not a bundle" : "is cut"))
        << length;
  }
}

TEST_F(BundleTest, EveryFlippedBitIsSeen) {
  std::string content = written();
  std::set<std::string> kinds;
  for (size_t i = 0; i < content.size(); ++i) {
    std::string changed = content;
    changed[i] ^= static_cast<char>(1 << i % 8);
    Status status = reading(changed);
    // Padding between sections.
    if (status.isOk())
      EXPECT_EQ(content[i], '\0') << i;
    else
      kinds.insert(status.message().substr(path.size() + 9));
  }
  std::string all;
  for (const std::string &kind : kinds)
    all += kind + "\n";
  for (const char *what :
       {"is not a bundle", "made for interface version",
        "its header is damaged", "section 'ptx' is damaged",
        "section 'manifest' is damaged", "section 'cubin' is damaged"})
    EXPECT_THAT(all, HasSubstr(what));
}

TEST_F(BundleTest, WhatIsMissingOrForAnotherTargetIsNamed) {
  ASSERT_TRUE(writeBundle(path, Bundle{"tpu", {}}).isOk());
  EXPECT_THAT(readBundle(path).status().message(),
              HasSubstr("is for target 'tpu'"));
  EXPECT_THAT(
      deviceProgramOf({"cuda", {{"manifest", "{}"}}}, path).status().message(),
      HasSubstr("no section 'image'"));
  EXPECT_THAT(loadHostProgram({"cuda", {}}, path).status().message(),
              HasSubstr("no program for the host"));
  written();
  auto opened = openBundle(path, {"host", nullptr});
  EXPECT_EQ(opened.status().code(), Code::kUsage);
  EXPECT_THAT(opened.status().message(),
              HasSubstr("is for target cuda, not host"));
  EXPECT_EQ(readBundle((folder.path() / "none.nbl").string()).status().code(),
            Code::kBadInput);
}

TEST_F(BundleTest, AHostProgramNeedsItsCpuAndALibrary) {
  Status feature =
      loadHostProgram(hostBundle("", "x", {"avx512f", "no-such-tuning"}), path)
          .status();
  Status library =
      loadHostProgram(hostBundle("no library", "x", {}), path).status();
  EXPECT_EQ(library.code(), Code::kEnvironment);
  EXPECT_THAT(library.message(), HasSubstr("its code cannot be loaded"));
  if (!__builtin_cpu_supports("avx512f"))
    EXPECT_THAT(feature.message(), HasSubstr("needs a CPU with avx512f"));
}

TEST_F(BundleTest, ProgramsRunOnTheDeviceThatIsGiven) {
  written();
  auto device = std::make_shared<FakeDevice>();
  addKernels(*device);
  auto program =
      openBundle(path, {"simt", std::make_shared<DeviceResidence>(device)});
  ASSERT_TRUE(program.isOk()) << program.status().message();
  EXPECT_TRUE(program->has("main"));
  device->kernels.clear();
  auto missing =
      openBundle(path, {"", std::make_shared<DeviceResidence>(device)});
  EXPECT_THAT(missing.status().message(), HasSubstr("no kernel add"));
}

} // namespace
