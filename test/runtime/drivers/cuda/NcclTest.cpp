// NCCL on a fake libnccl: calls, errors and declarations.
#include "runtime/drivers/cuda/nccl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#ifdef NIBBLE_HAS_NCCL_H
#include <nccl.h>
#endif

using namespace nibble;
using testing::HasSubstr;

namespace {

TEST(Nccl, SaysWhatIsMissing) {
  Status none = nccl::Library::open("libno-such-nccl.so.2").status();
  EXPECT_EQ(none.code(), Code::kEnvironment);
  EXPECT_THAT(none.message(),
              HasSubstr("nccl: cannot load libno-such-nccl.so.2"));
  EXPECT_THAT(none.message(), HasSubstr("install libnccl2"));
  EXPECT_THAT(nccl::Library::open("libm.so.6").status().message(),
              HasSubstr("libm.so.6 has no ncclGetVersion"));
  setenv("FAKE_NCCL_VERSION", "21000", 1);
  EXPECT_THAT(nccl::Library::open(NIBBLE_FAKE_NCCL).status().message(),
              HasSubstr("is version 21000, at least 21800"));
  unsetenv("FAKE_NCCL_VERSION");
}

TEST(Nccl, CallsAndErrorsComeThrough) {
  setenv("NIBBLE_LIBNCCL", NIBBLE_FAKE_NCCL, 1);
  auto library = nccl::Library::open();
  unsetenv("NIBBLE_LIBNCCL");
  ASSERT_TRUE(library.isOk()) << library.status().message();
  nccl::Library &nccl = **library;
  EXPECT_EQ(nccl.version(), 22703);
  nccl::UniqueId id;
  nccl::Communicator communicator = nullptr;
  ASSERT_TRUE(nccl.check(nccl->ncclGetUniqueId(&id), "ncclGetUniqueId").isOk());
  ASSERT_TRUE(nccl.check(nccl->ncclCommInitRank(&communicator, 1, id, 0),
                         "ncclCommInitRank")
                  .isOk());
  float from[] = {1, 2, 3};
  float to[3] = {};
  auto reduce = [&] {
    return nccl.check(nccl->ncclAllReduce(from, to, 3, nccl::kFloat32,
                                          nccl::kSum, communicator, nullptr),
                      "ncclAllReduce", communicator);
  };
  ASSERT_TRUE(reduce().isOk());
  EXPECT_EQ(to[2], 3);
  setenv("FAKE_NCCL_FAIL", "2", 1);
  Status failed = reduce();
  unsetenv("FAKE_NCCL_FAIL");
  EXPECT_EQ(failed.code(), Code::kEnvironment);
  EXPECT_THAT(
      failed.message(),
      HasSubstr(
          "nccl: ncclAllReduce: unhandled system error: no route to rank 1"));
}

TEST(Nccl, DeclarationsAreThoseOfNcclH) {
#ifdef NIBBLE_HAS_NCCL_H
  static_assert(sizeof(nccl::UniqueId) == sizeof(ncclUniqueId));
  static_assert(nccl::kFloat32 == static_cast<int>(ncclFloat32) &&
                nccl::kBfloat16 == static_cast<int>(ncclBfloat16));
  static_assert(nccl::kInt8 == static_cast<int>(ncclInt8) &&
                nccl::kUint8 == static_cast<int>(ncclUint8));
  static_assert(nccl::kInt32 == static_cast<int>(ncclInt32) &&
                nccl::kInt64 == static_cast<int>(ncclInt64));
  static_assert(nccl::kFloat64 == static_cast<int>(ncclFloat64));
  static_assert(nccl::kSum == static_cast<int>(ncclSum) &&
                nccl::kMax == static_cast<int>(ncclMax) &&
                nccl::kMin == static_cast<int>(ncclMin));
#else
  GTEST_SKIP() << "nccl.h is not installed";
#endif
}

} // namespace
