// A broken file for every rule of the reader, round trips of the writer, and a
// full disk.
#include "runtime/formats/checkpoint/safetensors.h"

#include "test/runtime/formats/scratch.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>

using namespace nibble;
using nibble::testing::fails;
using nibble::testing::Scratch;

namespace {

std::string file(const std::string &header, size_t dataBytes,
                 uint64_t length = ~uint64_t{0}) {
  if (length == ~uint64_t{0})
    length = header.size();
  std::string bytes(reinterpret_cast<const char *>(&length), 8);
  return bytes + header + std::string(dataBytes, '\x11');
}

std::string tensor(const std::string &name, const std::string &dtype,
                   const std::string &shape, const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

struct Bad {
  const char *what;
  std::string bytes;
  const char *rule;
};

std::vector<Bad> badFiles() {
  const char *json = "InvalidHeaderDeserialization";
  auto one = [](const std::string &t, size_t data) {
    return file("{" + t + "}", data);
  };
  auto twice = "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]";
  std::string million = "{\"a\":";
  million.append(1'000'000, '[');
  std::string deepObjects;
  for (int i = 0; i < 200'000; ++i)
    deepObjects += "{\"a\":";
  return {
      {"0 bytes", "", "HeaderTooSmall"},
      {"1 byte", "{", "HeaderTooSmall"},
      {"7 bytes", "1234567", "HeaderTooSmall"},
      {"N = 100,000,001", file("{}", 0, 100'000'001), "HeaderTooLarge"},
      {"N = 2^63", file("{}", 0, uint64_t{1} << 63), "HeaderTooLarge"},
      {"N = 2^64 - 1, so 8 + N overflows", std::string(8, '\xFF') + "{}",
       "HeaderTooLarge"},
      {"N beyond the file", file("{}", 0, 3), "InvalidHeaderLength"},
      {"N beyond the file by its own length", file("{}", 6, 9),
       "InvalidHeaderLength"},
      {"not UTF-8", file("{\"\xFF\":1}", 0), "InvalidHeader:"},
      {"overlong UTF-8", file("{\"\xC0\x80\":1}", 0), "InvalidHeader:"},
      {"surrogate in UTF-8", file("{\"\xED\xA0\x80\":1}", 0), "InvalidHeader:"},
      {"N = 0", file("", 4), json},
      {"not JSON", file("{hello}", 0), json},
      {"leading space", file(" {}", 0), json},
      {"byte order mark", file("\xEF\xBB\xBF{}", 0), json},
      {"array root", file("[]", 0), json},
      {"padded with newline", file("{}\n", 0), json},
      {"padded with NUL", file(std::string("{}\0", 3), 0), json},
      {"NUL hides what follows", file(std::string("{}\0{}", 5), 0), json},
      {"two objects", file("{}{}", 0), json},
      {"not closed", file("{\"a\":{\"dtype\":\"U8\"}", 0), json},
      {"tensor is a number", file("{\"a\":5}", 0), json},
      {"tensor is null", file("{\"a\":null}", 0), json},
      {"tensor is a list", file("{\"a\":[]}", 0), json},
      {"no dtype", file("{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4),
       json},
      {"no shape", file("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4),
       json},
      {"no offsets", file("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4), json},
      {"unknown field",
       file(std::string("{\"a\":{") + twice + ",\"strides\":[1]}}", 4), json},
      {"field twice",
       file(std::string("{\"a\":{") + twice + ",\"dtype\":\"I8\"}}", 4), json},
      {"tensor twice",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("a", "U8", "[4]", "[4,8]"),
           8),
       json},
      {"tensor twice, escaped",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("\\u0061", "U8", "[4]", "[4,8]"),
           8),
       json},
      {"metadata twice", file("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
       json},
      {"metadata key twice",
       file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0), json},
      {"metadata number", file("{\"__metadata__\":{\"a\":1}}", 0), json},
      {"metadata nested", file("{\"__metadata__\":{\"a\":{}}}", 0), json},
      {"metadata list", file("{\"__metadata__\":[]}", 0), json},
      {"unknown dtype", one(tensor("a", "I4", "[4]", "[0,4]"), 4), json},
      {"lower-case dtype", one(tensor("a", "u8", "[4]", "[0,4]"), 4), json},
      {"dtype is a number",
       file("{\"a\":{\"dtype\":8,\"shape\":[4],\"data_offsets\":[0,4]}}", 4),
       json},
      {"shape is a string",
       file("{\"a\":{\"dtype\":\"U8\",\"shape\":\"[4]\",\"data_offsets\":[0,4]}"
            "}",
            4),
       json},
      {"negative dimension", one(tensor("a", "U8", "[-4]", "[0,4]"), 4), json},
      {"minus zero dimension", one(tensor("a", "U8", "[-0]", "[0,0]"), 0),
       json},
      {"fractional dimension", one(tensor("a", "U8", "[4.0]", "[0,4]"), 4),
       json},
      {"dimension 4e0", one(tensor("a", "U8", "[4e0]", "[0,4]"), 4), json},
      {"dimension beyond 2^64",
       one(tensor("a", "U8", "[99999999999999999999]", "[0,4]"), 4), json},
      {"nested shape", one(tensor("a", "U8", "[[4]]", "[0,4]"), 4), json},
      {"rank 65",
       one(tensor(
               "a", "U8",
               "[4" +
                   [] {
                     std::string s;
                     for (int i = 0; i < 64; ++i)
                       s += ",1";
                     return s;
                   }() +
                   "]",
               "[0,4]"),
           4),
       json},
      {"negative offset", one(tensor("a", "U8", "[4]", "[-1,3]"), 4), json},
      {"fractional offset", one(tensor("a", "U8", "[4]", "[0,4.5]"), 4), json},
      {"offset 1e3", one(tensor("a", "U8", "[4]", "[0,1e3]"), 4), json},
      {"one offset", one(tensor("a", "U8", "[4]", "[4]"), 4), json},
      {"three offsets", one(tensor("a", "U8", "[4]", "[0,4,4]"), 4), json},
      {"NUL in a name", one(tensor("a\\u0000b", "U8", "[4]", "[0,4]"), 4),
       json},
      {"newline in a name", one(tensor("a\\nb", "U8", "[4]", "[0,4]"), 4),
       json},
      {"nested a million deep", file(million, 0), json},
      {"nested a million deep, closed", file(million + "}", 0), json},
      {"objects nested 200,000 deep", file(deepObjects + "}", 0), json},
      {"hole before", one(tensor("a", "U8", "[4]", "[1,5]"), 5),
       "InvalidOffset(a)"},
      {"hole between",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("b", "U8", "[4]", "[5,9]"),
           9),
       "InvalidOffset(b)"},
      {"overlap",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("b", "U8", "[4]", "[3,7]"),
           7),
       "InvalidOffset(b)"},
      {"the same bytes twice",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("b", "U8", "[4]", "[0,4]"),
           4),
       "InvalidOffset(b)"},
      {"end before begin",
       one(tensor("a", "U8", "[4]", "[0,4]") + "," +
               tensor("b", "U8", "[0]", "[4,3]"),
           4),
       "InvalidOffset(b)"},
      {"shape overflows, 2^32 * 2^32",
       one(tensor("a", "U8", "[4294967296,4294967296]", "[0,4]"), 4),
       "ValidationOverflow"},
      {"bits overflow, 2^60 * 64",
       one(tensor("a", "F64", "[1152921504606846976]", "[0,4]"), 4),
       "ValidationOverflow"},
      {"dimension of 2^63",
       one(tensor("a", "U8", "[9223372036854775808]", "[0,4]"), 4),
       "ValidationOverflow"},
      {"three 4-bit numbers", one(tensor("a", "F4", "[3]", "[0,2]"), 2),
       "MisalignedSlice"},
      {"one 6-bit number", one(tensor("a", "F6_E2M3", "[1]", "[0,1]"), 1),
       "MisalignedSlice"},
      {"too many bytes", one(tensor("a", "U8", "[4]", "[0,5]"), 5),
       "TensorInvalidInfo"},
      {"too few bytes", one(tensor("a", "F32", "[4]", "[0,8]"), 8),
       "TensorInvalidInfo"},
      {"scalar without bytes", one(tensor("a", "F32", "[]", "[0,0]"), 0),
       "TensorInvalidInfo"},
      {"trailing byte", one(tensor("a", "U8", "[4]", "[0,4]"), 5),
       "MetadataIncompleteBuffer"},
      {"one byte short", one(tensor("a", "U8", "[4]", "[0,4]"), 3),
       "MetadataIncompleteBuffer"},
      {"no tensor but bytes", file("{}", 1), "MetadataIncompleteBuffer"},
      {"offsets near 2^64",
       one(tensor("a", "U8", "[4]", "[0,18446744073709551615]"), 4),
       "TensorInvalidInfo"},
  };
}

TEST(Safetensors, EveryRuleHasAFileThatBreaksIt) {
  Scratch scratch;
  int count = 0;
  for (const Bad &bad : badFiles()) {
    std::string path = scratch.put("bad.safetensors", bad.bytes);
    auto start = std::chrono::steady_clock::now();
    auto opened = SafetensorsFile::open(path);
    double milliseconds = std::chrono::duration<double, std::milli>(
                              std::chrono::steady_clock::now() - start)
                              .count();
    ASSERT_FALSE(opened.isOk()) << bad.what;
    EXPECT_TRUE(fails(opened.status(), Code::kBadInput, {path, bad.rule}))
        << bad.what;
    EXPECT_LT(opened.status().message().size(), 600u) << bad.what;
    EXPECT_LT(milliseconds, 100.0) << bad.what;
    ++count;
  }
  std::printf("%d malformed files refused, each by its rule\n", count);
}

TEST(Safetensors, ReadsWhatIsUnusualButRight) {
  Scratch scratch;
  std::string header =
      "{\"scalar\":{\"data_offsets\":[4,8],\"shape\":[],\"dtype\":\"F32\"},"
      "\"empty\":{\"dtype\":\"I64\",\"shape\":[3,0]"
      ","
      "\"data_offsets\":[4,4]}, \"half\" : "
      "{\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[0,4]}}   ";
  auto opened =
      SafetensorsFile::open(scratch.put("a.safetensors", file(header, 8)));
  ASSERT_TRUE(opened.isOk()) << opened.status().message();
  ASSERT_EQ(opened->tensors().size(), 3u);
  ASSERT_NE(opened->find("scalar"), nullptr);
  EXPECT_EQ(opened->find("scalar")->shape, Shape{});
  EXPECT_EQ(opened->find("empty")->bytes(), 0u);
  EXPECT_EQ(opened->find("half")->bytes(), 4u);
  EXPECT_EQ(opened->find("nothing"), nullptr);
  auto scalar = opened->read(*opened->find("scalar"));
  ASSERT_TRUE(scalar.isOk());
  EXPECT_EQ(scalar->as<uint32_t>()[0], 0x11111111u);
  EXPECT_TRUE(SafetensorsFile::open(scratch.put("b.safetensors", file("{}", 0)))
                  .isOk());
}

TEST(Safetensors, NotAFile) {
  Scratch scratch;
  EXPECT_TRUE(fails(SafetensorsFile::open(scratch / "absent").status(),
                    Code::kBadInput, {"absent"}));
  EXPECT_TRUE(fails(SafetensorsFile::open(scratch.path()).status(),
                    Code::kBadInput, {scratch.path()}));
  std::filesystem::create_symlink("loop", scratch / "loop");
  EXPECT_TRUE(fails(SafetensorsFile::open(scratch / "loop").status(),
                    Code::kBadInput, {"loop"}));
}

TEST(Safetensors, FileCutAfterOpening) {
  Scratch scratch;
  std::string path = scratch.put(
      "a.safetensors",
      file("{" + tensor("a", "U8", "[9000]", "[0,9000]") + "}", 9000));
  auto opened = SafetensorsFile::open(path);
  ASSERT_TRUE(opened.isOk());
  std::filesystem::resize_file(path, 5000);
  EXPECT_TRUE(fails(opened->read(*opened->find("a")).status(), Code::kBadInput,
                    {path, "early"}));
}

struct Held {
  std::vector<Tensor> tensors;
  std::vector<NamedTensor> named;
  void add(const std::string &name, DType dtype, Shape shape) {
    auto made = Tensor::create(dtype, std::move(shape));
    ASSERT_TRUE(made.isOk());
    for (int64_t i = 0; i < made->bytes(); ++i)
      made->data()[i] =
          static_cast<std::byte>(i * 7 + static_cast<int64_t>(tensors.size()));
    named.push_back({name, made->view()});
    tensors.push_back(*std::move(made));
  }
};

TEST(Safetensors, WriterSortsByWidthThenNameAndPads) {
  Scratch scratch;
  Held held;
  held.add("z", DType::kU8, {3});
  held.add("b", DType::kBF16, {2, 2});
  held.add("a", DType::kU8, {5});
  held.add("y", DType::kI64, {1});
  ASSERT_TRUE(writeSafetensors(scratch / "a.safetensors", held.named).isOk());
  std::string bytes = scratch.get("a.safetensors");
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  std::string header = bytes.substr(8, length);
  header.resize(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(
      header,
      "{\"__metadata__\":{\"format\":\"pt\"},\"y\":{\"dtype\":\"I64\","
      "\"shape\":[1],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[8,16]},"
      "\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[16,21]},"
      "\"z\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[21,24]}}");
  EXPECT_EQ(scratch.names(), std::vector<std::string>{"a.safetensors"})
      << "no temporary file is left";
  auto opened = SafetensorsFile::open(scratch / "a.safetensors");
  ASSERT_TRUE(opened.isOk());
  EXPECT_EQ(opened->metadata(), defaultMetadata());
}

TEST(Safetensors, WriterRefuses) {
  Scratch scratch;
  auto refuses = [&](const std::string &name, DType dtype, Shape shape,
                     const char *word) {
    Held held;
    held.add(name, dtype, std::move(shape));
    EXPECT_TRUE(fails(writeSafetensors(scratch / "a", held.named), Code::kUsage,
                      {word}));
  };
  refuses("a\nb", DType::kU8, {1}, "printable");
  refuses("\xFF", DType::kU8, {1}, "printable");
  refuses("__metadata__", DType::kU8, {1}, "__metadata__");
  refuses("a", DType::kF4, {3}, "whole number");
  Held held;
  held.add("same", DType::kU8, {1});
  held.add("same", DType::kU8, {1});
  EXPECT_TRUE(fails(writeSafetensors(scratch / "a", held.named), Code::kUsage,
                    {"same", "twice"}));
  auto other = [](const TensorSpec &) {
    return Tensor::create(DType::kF32, {2});
  };
  EXPECT_TRUE(
      fails(writeSafetensors(scratch / "a", {{"x", DType::kF32, {3}}}, other),
            Code::kUsage, {"x", "announced"}));
  auto stops = [](const TensorSpec &) -> Result<Tensor> {
    return Status::failed("source: no tensor; stop here");
  };
  EXPECT_TRUE(
      fails(writeSafetensors(scratch / "a", {{"x", DType::kF32, {3}}}, stops),
            Code::kFailed, {"stop here"}));
  EXPECT_TRUE(scratch.names().empty())
      << "nothing is left of a file that was not finished";
}

RC_GTEST_PROP(SafetensorsProperty, WhatIsWrittenIsRead, ()) {
  static Scratch scratch;
  const std::vector<DType> dtypes = {DType::kF32,    DType::kBF16, DType::kF64,
                                     DType::kI8,     DType::kI32,  DType::kI64,
                                     DType::kU8,     DType::kBool, DType::kF16,
                                     DType::kF8E4M3, DType::kC64,  DType::kU16};
  auto names = *rc::gen::unique<std::vector<std::string>>(
      rc::gen::nonEmpty(rc::gen::string<std::string>()));
  Held held;
  for (std::string &name : names) {
    for (char &c : name)
      c = static_cast<char>(
          0x20 + (static_cast<unsigned char>(c) %
                  0x5F)); // printable ASCII, including quotes and backslashes
    bool isTaken = false;
    for (const auto &other : held.named)
      isTaken |= other.name == name;
    if (isTaken)
      continue;
    Shape shape = *rc::gen::resize(
        3, rc::gen::container<Shape>(rc::gen::inRange<int64_t>(0, 5)));
    held.add(name, *rc::gen::elementOf(dtypes), shape);
  }
  RC_ASSERT(writeSafetensors(scratch / "p.safetensors", held.named).isOk());
  auto opened = SafetensorsFile::open(scratch / "p.safetensors");
  RC_ASSERT(opened.isOk());
  RC_ASSERT(opened->tensors().size() == held.named.size());
  for (const auto &[name, view] : held.named) {
    const TensorInfo *info = opened->find(name);
    RC_ASSERT(info != nullptr);
    RC_ASSERT(info->dtype == view.dtype);
    RC_ASSERT(info->shape == view.shape);
    RC_ASSERT(info->begin % static_cast<uint64_t>(bitsOf(info->dtype) / 8) ==
              0u);
    auto read = opened->read(*info);
    RC_ASSERT(read.isOk());
    RC_ASSERT(std::memcmp(read->data(), view.data,
                          static_cast<size_t>(view.bytes())) == 0);
  }
}

// A damaged header never crashes and never gives a tensor outside the file.
RC_GTEST_PROP(SafetensorsProperty, DamagedHeadersAreHarmless, ()) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," +
                       tensor("a", "F32", "[2,3]", "[0,24]") + "," +
                       tensor("b", "BF16", "[4]", "[24,32]") + "}";
  int damages = *rc::gen::inRange(1, 4);
  for (int i = 0; i < damages; ++i) {
    size_t at = *rc::gen::inRange<size_t>(0, header.size());
    switch (*rc::gen::inRange(0, 3)) {
    case 0:
      header[at] = static_cast<char>(*rc::gen::inRange(0, 256));
      break;
    case 1:
      header.erase(at, static_cast<size_t>(*rc::gen::inRange(1, 9)));
      break;
    default:
      header.insert(
          at, header.substr(*rc::gen::inRange<size_t>(0, header.size()), 7));
    }
    if (header.empty())
      break;
  }
  uint64_t size = 8 + header.size() + 32;
  auto parsed = parseSafetensorsHeader(header, size);
  if (parsed.isOk())
    for (const TensorInfo &info : parsed->tensors) {
      RC_ASSERT(info.end <= 32u);
      RC_ASSERT(info.bytes() * 8 ==
                static_cast<uint64_t>(*elementCount(info.shape) *
                                      bitsOf(info.dtype)));
    }
  else
    RC_ASSERT(parsed.status().code() == Code::kBadInput);
}

TEST(Safetensors, FullDiskLeavesNothing) {
  Scratch scratch;
  scratch.put("a.safetensors", "the old file");
  Held held;
  held.add("big", DType::kU8, {1 << 20});
  // A limit on file size simulates a full disk. write(2) fails half way with
  // EFBIG when the signal is ignored.
  auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old, low;
  getrlimit(RLIMIT_FSIZE, &old);
  low = old;
  low.rlim_cur = 64 << 10;
  setrlimit(RLIMIT_FSIZE, &low);
  Status status = writeSafetensors(scratch / "a.safetensors", held.named);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  EXPECT_TRUE(fails(status, Code::kEnvironment, {"a.safetensors"}));
  EXPECT_EQ(scratch.names(), std::vector<std::string>{"a.safetensors"});
  EXPECT_EQ(scratch.get("a.safetensors"), "the old file");
}

TEST(Safetensors, FolderThatCannotBeWritten) {
  Held held;
  held.add("a", DType::kU8, {1});
  // Not even root can create files here. The second folder does not exist.
  EXPECT_TRUE(fails(writeSafetensors("/proc/a.safetensors", held.named),
                    Code::kEnvironment, {"/proc/a.safetensors"}));
  EXPECT_TRUE(fails(writeSafetensors("/nowhere/a.safetensors", held.named),
                    Code::kEnvironment, {"/nowhere/"}));
  if (geteuid() != 0) {
    Scratch scratch;
    std::filesystem::permissions(scratch.path(),
                                 std::filesystem::perms::owner_read |
                                     std::filesystem::perms::owner_exec);
    EXPECT_TRUE(fails(writeSafetensors(scratch / "a", held.named),
                      Code::kEnvironment, {scratch.path()}));
    std::filesystem::permissions(scratch.path(),
                                 std::filesystem::perms::owner_all);
  }
}

} // namespace
