// The list of families. A new one is declared and listed here.
#include "runtime/formats/model/family.h"

#include <array>

namespace nibble {

namespace families {
ModelFamily llama();
ModelFamily qwen2();
ModelFamily qwen3();
} // namespace families

std::span<const ModelFamily> modelFamilies() {
  static const std::array families = {families::llama(), families::qwen2(),
                                      families::qwen3()};
  return families;
}

const ModelFamily *familyNamed(std::string_view modelType) {
  for (const ModelFamily &family : modelFamilies())
    if (family.modelType == modelType)
      return &family;
  return nullptr;
}

std::string familyNames(const char *last) {
  std::span<const ModelFamily> families = modelFamilies();
  std::string names;
  for (size_t i = 0; i < families.size(); ++i) {
    if (i > 0)
      names += i + 1 == families.size() ? last : ", ";
    names += families[i].modelType;
  }
  return names;
}

} // namespace nibble
