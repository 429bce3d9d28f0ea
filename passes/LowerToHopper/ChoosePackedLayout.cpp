// nibble-choose-packed-layout: gives each packed weight the order of codes that
// its reader on the device wants.
#include "dialects/QAT/QAT.h"
#include "passes/LowerToHopper/Passes.h"

#include "mlir/IR/AttrTypeSubElements.h"

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
