// Opens a bundle on the target that it was compiled for.
#include "runtime/bundle/open_bundle.h"

#include "runtime/bundle/host_library.h"

#include <fmt/format.h>

namespace nibble {

Result<Program> openBundle(const std::string &path,
                           const OpenBundleOptions &options) {
  NIBBLE_ASSIGN(Bundle bundle, readBundle(path));
  return openBundle(bundle, path, options);
}

Result<Program> openBundle(const Bundle &bundle, const std::string &path,
                           const OpenBundleOptions &options) {
  std::string target = options.target.empty() ? bundle.target : options.target;
  if ((target == "host") != (bundle.target == "host"))
    return Status::usage(fmt::format(
        "bundle {}: is for target {}, not {}; compile it with --target={}",
        path, bundle.target, target, target));
  if (target == "host")
    return loadHostProgram(bundle, path);
  NIBBLE_ASSIGN(DeviceProgram program, deviceProgramOf(bundle, path));
  std::shared_ptr<DeviceResidence> residence = options.residence;
  if (!residence) {
    NIBBLE_ASSIGN(std::shared_ptr<Device> device, openDevice(target));
    residence = std::make_shared<DeviceResidence>(std::move(device));
  }
  auto loaded = loadDeviceProgram(std::move(program), std::move(residence));
  if (!loaded.isOk())
    return std::move(loaded).takeStatus().within("bundle " + path);
  return loaded;
}

} // namespace nibble
