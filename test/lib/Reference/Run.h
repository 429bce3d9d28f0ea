// Runs text through the reference. The tests of this folder share it.
#pragma once

#include "lib/Reference/Reference.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nibble {

class ReferenceTest : public ::testing::Test {
protected:
  mlir::MLIRContext context;
  mlir::Builder b{&context};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string errors; // everything reported since the start of the last run

  ReferenceTest() {
    context.loadDialect<mlir::func::FuncDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect, mlir::tensor::TensorDialect,
                        mlir::linalg::LinalgDialect, mlir::scf::SCFDialect,
                        nn::NNDialect, qat::QATDialect>();
    context.getDiagEngine().registerHandler(
        [this](mlir::Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
        });
  }

  // Results of @f in `text`. Empty after a failure, whose report is in
  // `errors`.
  llvm::SmallVector<ReferenceValue>
  run(const std::string &text, llvm::ArrayRef<ReferenceValue> arguments,
      const ReferenceOptions &options = {}) {
    errors.clear();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return {};
    auto results = evaluate(module->lookupSymbol<mlir::func::FuncOp>("f"),
                            arguments, options);
    return failed(results) ? llvm::SmallVector<ReferenceValue>() : *results;
  }

  ReferenceValue f32(llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<double> elements) {
    return ReferenceValue::tensor(shape, b.getF32Type(), elements);
  }
  ReferenceValue bf16(llvm::ArrayRef<int64_t> shape,
                      llvm::ArrayRef<double> elements) {
    return ReferenceValue::tensor(shape, b.getBF16Type(), elements);
  }
  ReferenceValue i32(llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<int64_t> elements) {
    return ReferenceValue::integerTensor(shape, b.getI32Type(), elements);
  }
  // A float32 tensor whose elements are unrounded float64 values, for runs
  // without rounding.
  ReferenceValue f64In32(llvm::ArrayRef<int64_t> shape,
                         const std::vector<double> &elements) {
    ReferenceValue value = ReferenceValue::zero(
        mlir::RankedTensorType::get(shape, b.getF32Type()));
    value.reals = elements;
    return value;
  }

  static void expectClose(const ReferenceValue &actual,
                          const std::vector<double> &expected,
                          double bound = 1e-12) {
    EXPECT_LT(relativeError(actual.reals, expected), bound)
        << toString(actual, 64) << "\nexpected "
        << ::testing::PrintToString(expected);
  }
};

} // namespace nibble
