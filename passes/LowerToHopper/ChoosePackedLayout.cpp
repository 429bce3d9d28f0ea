// nibble-choose-packed-layout: gives each packed weight the code order of its
// reader on the device.
#include "dialects/QAT/QAT.h"
#include "passes/LowerToHopper/Passes.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-choose-packed-layout"

ALWAYS_ENABLED_STATISTIC(
    NumTypes, "types of packed weights that got the layout of the device");

namespace nibble {
#define GEN_PASS_DEF_CHOOSEPACKEDLAYOUTPASS
#include "passes/LowerToHopper/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class ChoosePackedLayout final
    : public nibble::impl::ChoosePackedLayoutPassBase<ChoosePackedLayout> {
public:
  void runOnOperation() override {
    AttrTypeReplacer replacer;
    replacer.addReplacement(
        [](nibble::qat::PackedType type) -> std::optional<Type> {
          if (type.getLayout() != nibble::qat::Layout::Host)
            return std::nullopt;
          ++NumTypes;
          return nibble::qat::PackedType::get(type.getContext(), type.getN(),
                                              type.getK(), type.getScheme(),
                                              nibble::qat::Layout::Hopper);
        });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }
};

} // namespace
