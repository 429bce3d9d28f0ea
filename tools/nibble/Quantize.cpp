// nibble quantize: writes a checkpoint with its linears packed to INT4. nibble
// verify: proves that a checkpoint is exactly that.
#include "tools/nibble/Commands.h"

#include "runtime/formats/checkpoint/model_weights.h"
#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "tools/CheckpointFolder.h"
#include "tools/nibble/RecipeOptions.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace nibble {

namespace {

struct QuantizeArguments {
  std::string model, out;
  Recipe recipe;
  bool dryRun = false;
};

Status quantize(const QuantizeArguments &arguments) {
  if (!arguments.recipe.quantizes())
    return Status::usage("--scheme none packs nothing; choose int4");
  NIBBLE_TRY(arguments.recipe.check());
  NIBBLE_ASSIGN(auto scheme, arguments.recipe.numericsScheme());
  NIBBLE_TRY(checkWritable(scheme));
  NIBBLE_ASSIGN(auto model, openModel(arguments.model));
  NIBBLE_ASSIGN(SelectedTensors selected,
                selectTensors(arguments.recipe, model->config()));
  printWarnings(selected.warnings);
  for (const std::string &name : selected.embeddings) {
    std::string left =
        name + " is named by the recipe and stays in full precision: it is an "
               "embedding; exclude it to say so";
    if (arguments.recipe.strict)
      return Status::usage(left);
    printWarning(left);
  }
  if (!arguments.dryRun && arguments.out.empty())
    return Status::usage(
        "--out is required; name a folder to write, or say --dry-run");
  NIBBLE_TRY(warnOfRounding(arguments.recipe, *model, /*keepsStored=*/false,
                            /*isWritten=*/true));
  if (arguments.dryRun) {
    for (const std::string &name : selected.names)
      fmt::print("{}\n", name);
    fmt::print("{} tensors would be packed\n", selected.names.size());
    return Status::ok();
  }
  NIBBLE_ASSIGN(ExportReport report,
                writeQuantizedCheckpoint(arguments.model, arguments.out, scheme,
                                         selected.names));
  for (const std::string &warning : report.warnings)
    fmt::print(stderr, "nibble: warning: {}\n", warning);
  fmt::print("{}: {} tensors packed, {} kept; {} bytes of weights became {}\n",
             arguments.out, report.packedTensors, report.keptTensors,
             report.bytesRead, report.bytesWritten);
  return Status::ok();
}

Status verify(const std::string &quantized, const std::string &source,
              const std::string &convention) {
  NIBBLE_ASSIGN(numerics::Convention parsed, parseConvention(convention));
  NIBBLE_ASSIGN(VerifyReport report,
                verifyQuantizedCheckpoint(source, quantized, parsed));
  fmt::print("packed tensors {}, kept tensors {}\ncodes {} differing "
             "{}\nscales {} differing {}\nkept tensors differing {}\n",
             report.packedTensors, report.keptTensors, report.codes,
             report.differingCodes, report.scales, report.differingScales,
             report.differingTensors);
  if (!report.isEqual())
    return Status::failed(fmt::format("{} is not {} quantized: {}", quantized,
                                      source, report.firstDifference));
  fmt::print("equal: {} is {} quantized, bit for bit\n", quantized, source);
  return Status::ok();
}

} // namespace

void addQuantize(CLI::App &app, Status &status) {
  auto *command =
      app.add_subcommand("quantize", "Write a checkpoint with its linears "
                                     "packed to INT4 (compressed-tensors).");
  auto arguments = std::make_shared<QuantizeArguments>();
  command->add_option("--model", arguments->model, "checkpoint folder")
      ->required();
  command->add_option("--out", arguments->out,
                      "folder to write; must not exist");
  addRecipeOptions(*command, arguments->recipe);
  command->add_flag("--dry-run", arguments->dryRun,
                    "print what would be packed");
  command->callback([arguments, &status] { status = quantize(*arguments); });
}

void addVerify(CLI::App &app, Status &status) {
  auto *command =
      app.add_subcommand("verify", "Compare a quantized checkpoint with "
                                   "quantizing its source again, bit for bit.");
  struct Arguments {
    std::string quantized;
    std::string source;
    std::string convention = "nibble";
  };
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("quantized", arguments->quantized,
                   "the quantized checkpoint")
      ->required();
  command
      ->add_option("--against", arguments->source,
                   "the checkpoint it was made from")
      ->required();
  command->add_option("--convention", arguments->convention,
                      numerics::conventionChoices(" or ") +
                          ": how it was made");
  command->callback([arguments, &status] {
    status =
        verify(arguments->quantized, arguments->source, arguments->convention);
  });
}

} // namespace nibble
