// Keeps the first error that LLVM reports about a module. Without this LLVM
// prints the error and ends the process.
#pragma once

#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace nibble {

// Returns the text of the first error from now on, which is empty while there
// is none. The context shares the ownership of it.
inline std::shared_ptr<std::string> keepFirstError(llvm::LLVMContext &context) {
  struct Handler : llvm::DiagnosticHandler {
    bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
      if (info.getSeverity() != llvm::DS_Error)
        return false;
      if (text->empty()) {
        llvm::raw_string_ostream stream(*text);
        llvm::DiagnosticPrinterRawOStream printer(stream);
        info.print(printer);
      }
      return true;
    }
    std::shared_ptr<std::string> text = std::make_shared<std::string>();
  };
  auto handler = std::make_unique<Handler>();
  std::shared_ptr<std::string> text = handler->text;
  context.setDiagnosticHandler(std::move(handler));
  return text;
}

} // namespace nibble
