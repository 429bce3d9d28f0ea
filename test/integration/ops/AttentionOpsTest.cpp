// Compares attention over batches and pages, and its gradient, between host and
// reference.
#include "test/integration/ops/Compare.h"

#include <numeric>

namespace nibble {
namespace {

struct Shape {
  int64_t heads, kvHeads, D, window;
};
// Groups whose heads do not fill a vector, a window, one head, heads of half a
// vector, and a window longer than a block of keys.
const Shape kShapes[] = {
    {6, 2, 20, 0}, {2, 2, 64, 5}, {1, 1, 16, 0}, {4, 2, 8, 0}, {4, 1, 16, 100}};

struct AttentionOpsTest : OpTest {
  // The beginnings of sequences in a batch of T tokens. One sequence is empty.
  // Positions count from 0 in each.
  std::vector<int64_t> begins(int64_t T) {
    return T < 4 ? std::vector<int64_t>{0, T}
                 : std::vector<int64_t>{0, 1, T / 4, T / 4, T};
  }
  Arguments batch(int64_t T) {
    std::vector<int64_t> sequences = begins(T);
    std::vector<int64_t> positions;
    for (size_t s = 0; s + 1 < sequences.size(); ++s)
      for (int64_t p = 0; p < sequences[s + 1] - sequences[s]; ++p)
        positions.push_back(p);
    return {integers(positions), integers(sequences)};
  }
  static std::string attributes(const Shape &s) {
    return "{heads = " + std::to_string(s.heads) +
           ", kv_heads = " + std::to_string(s.kvHeads) +
           ", scale = 0.25 : f32, kv_block = 64, window = " +
           std::to_string(s.window) + "}";
  }
  static std::string rows(int64_t columns, const char *element = "$E") {
    return "tensor<?x" + std::to_string(columns) + "x" + element + ">";
  }
};
NIBBLE_FOR_EACH_TYPE(AttentionOpsTest);

// These reach four blocks of keys.
const std::vector<int64_t> kTokens = {0, 1, 5, 63, 64, 65, 200};

TEST_P(AttentionOpsTest, AttentionAndGradient) {
  for (const Shape &s : someOf(kShapes, 2)) {
    std::string q = rows(s.heads * s.D);
    std::string k = rows(s.kvHeads * s.D);
    std::string l = rows(s.heads, "f32");
    std::string i = "tensor<?xi32>";
    std::string head =
        "%q: " + q + ", %k: " + k + ", %v: " + k + ", %p: " + i + ", %s: " + i;
    std::string forward = "func.func @f(" + head + ") -> (" + q + ", " + l +
                          ") {\n%y, %lse = nn.attention %q, %k, %v, %p, %s " +
                          attributes(s) + " : " + q + ", " + k + ", " + i +
                          ", " + i + " -> " + l + "\nreturn %y, %lse : " + q +
                          ", " + l + "\n}";
    std::string backward =
        "func.func @f(" + head + ", %dy: " + q + ", %y: " + q + ", %lse: " + l +
        ") -> (" + q + ", " + k + ", " + k +
        ") {\n%dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %p, "
        "%s " +
        attributes(s) + " : " + q + ", " + k + ", " + l + ", " + i + ", " + i +
        "\nreturn %dq, %dk, %dv : " + q + ", " + k + ", " + k + "\n}";
    SCOPED_TRACE(attributes(s));
    auto arguments = [&](int64_t T) {
      Arguments given{numbers({T, s.heads * s.D}, E),
                      numbers({T, s.kvHeads * s.D}, E),
                      numbers({T, s.kvHeads * s.D}, E)};
      for (ReferenceValue &value : batch(T))
        given.push_back(std::move(value));
      return given;
    };
    compare(forward, kTokens, arguments);
    compare(backward, {0, 5, 65}, [&](int64_t T) {
      Arguments given = arguments(T);
      std::vector<ReferenceValue> results = reference(forward, given);
      given.insert(given.end(),
                   {numbers({T, s.heads * s.D}, E), results[0], results[1]});
      return given;
    });
  }
}

// Sequences with tokens in the cache get more tokens. Pages have no particular
// order.
TEST_P(AttentionOpsTest, CacheWriteAndPagedAttention) {
  for (const Shape &s : someOf(kShapes, 2)) {
    SCOPED_TRACE(attributes(s));
    std::string q = rows(s.heads * s.D);
    std::string k = rows(s.kvHeads * s.D);
    std::string i = "tensor<?xi32>";
    std::string pages = "tensor<?x?xi32>";
    std::string h = std::to_string(s.kvHeads);
    std::string d = std::to_string(s.D);
    std::string kc = "tensor<?x" + h + "x" + d + "x64x$E>";
    std::string vc = "tensor<?x" + h + "x64x" + d + "x$E>";
    compare("func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k +
                ", %kc: " + kc + ", %vc: " + vc + ", %p: " + i + ", %s: " + i +
                ", %pages: " + pages + ") -> (" + q + ", " + kc + ", " + vc +
                ") {\n%kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %p, %s, "
                "%pages : " +
                k + ", " + kc + ", " + vc + ", " + i + ", " + i + ", " + pages +
                "\n%y = nn.paged_attention %q, %kc1, %vc1, %p, %s, %pages " +
                attributes(s) + " : " + q + ", " + kc + ", " + vc + ", " + i +
                ", " + i + ", " + pages + "\nreturn %y, %kc1, %vc1 : " + q +
                ", " + kc + ", " + vc + "\n}",
            {0, 1, 5, 70}, [&](int64_t T) {
              std::vector<int64_t> sequences = begins(T);
              std::vector<int64_t> positions;
              int64_t count = sequences.size() - 1;
              int64_t each = 4;
              for (int64_t sequence = 0; sequence < count; ++sequence)
                for (int64_t p = 0;
                     p < sequences[sequence + 1] - sequences[sequence]; ++p)
                  positions.push_back(p + 61 * sequence % 130);
              std::vector<int64_t> table(count * each);
              std::iota(table.begin(), table.end(), 1);
              std::shuffle(table.begin(), table.end(), random);
              int64_t total = count * each + 2;
              return Arguments{numbers({T, s.heads * s.D}, E),
                               numbers({T, s.kvHeads * s.D}, E),
                               numbers({T, s.kvHeads * s.D}, E),
                               numbers({total, s.kvHeads, s.D, 64}, E),
                               numbers({total, s.kvHeads, 64, s.D}, E),
                               integers(positions),
                               integers(sequences),
                               ReferenceValue::integerTensor(
                                   {count, each}, b.getI32Type(), table)};
            });
  }
}

} // namespace
} // namespace nibble
