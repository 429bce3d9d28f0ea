// nibble-train: the training loops on bundles, without a compiler.
#include "runtime/bundle/device/plan_device.h"
#include "runtime/bundle/open_bundle.h"
#include "runtime/drivers/device.h"
#include "runtime/rl/config/program_properties.h"
#include "tools/CommandLine.h"
#include "tools/nibble-train/TrainCommands.h"

int main(int argc, char **argv) {
  CLI::App app("Trains and rolls out language models on bundles that nibble "
               "compile made.",
               "nibble-train");
  app.set_version_flag("--version", NIBBLE_VERSION);
  app.require_subcommand(1);
  std::string training, rollout;
  app.add_option("--training", training,
                 "bundle of the training program (nibble compile --config "
                 "CONFIG --program train -o)")
      ->required();
  app.add_option("--rollout", rollout,
                 "bundle of the rollout program (nibble compile --config "
                 "CONFIG --program rollout -o)")
      ->required();
  nibble::Status status;
  auto programs = [&](const nibble::ProgramRequest &request)
      -> nibble::Result<nibble::TrainingPrograms> {
    if (!request.hoist)
      return nibble::Status::usage("--no-hoist: a bundle is compiled already; "
                                   "give it to nibble compile instead");
    nibble::OpenBundleOptions options;
    options.target = request.config.run.target;
    if (options.target != "host") {
      NIBBLE_ASSIGN(std::shared_ptr<nibble::Device> device,
                    request.planOnly ? nibble::openPlanDevice(options.target)
                                     : nibble::openDevice(options.target));
      options.residence =
          std::make_shared<nibble::DeviceResidence>(std::move(device));
    }
    auto open = [&](const std::string &path,
                    const char *program) -> nibble::Result<nibble::Program> {
      NIBBLE_ASSIGN(nibble::Bundle bundle, nibble::readBundle(path));
      NIBBLE_ASSIGN(nibble::Json properties,
                    nibble::propertiesOf(bundle, path));
      nibble::Json wanted = nibble::programProperties(
          request.config, request.supervised, program);
      NIBBLE_TRY(nibble::checkProperties(properties, wanted, "bundle " + path));
      return nibble::openBundle(bundle, path, options);
    };
    NIBBLE_ASSIGN(nibble::Program train, open(training, "train"));
    NIBBLE_ASSIGN(nibble::Program generate, open(rollout, "rollout"));
    return nibble::TrainingPrograms{std::move(train), std::move(generate)};
  };
  nibble::addTraining(app, status, programs);
  return nibble::runTool(app, argc, argv, status);
}
