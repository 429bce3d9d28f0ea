// The list of families: a file of families/ each, which the build lists.
#include "runtime/formats/model/family.h"

#include <array>

namespace nibble {

// families/llama.cpp defines families::llama().
namespace families {
#define NIBBLE_FAMILY(name) ModelFamily name();
#include "runtime/formats/model/families.inc"
#undef NIBBLE_FAMILY
} // namespace families

std::span<const ModelFamily> modelFamilies() {
#define NIBBLE_FAMILY(name) families::name(),
  static const std::array families = {
#include "runtime/formats/model/families.inc"
  };
#undef NIBBLE_FAMILY
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
