# lit's configuration: it finds every .mlir and .test below test/. The build's tools come before LLVM's in PATH.
#
#   lit -v build/release/test                        all of them
#   lit -v build/release/test --filter passes/Fuse   some of them
#
# Substitutions:
#   %root      the repository
#   %examples  the folder examples/
#   %data      the folder test/
#   %python    the interpreter that runs lit
#   %test_bin  the folder of the test programs
#   %refuses   test/tools/Inputs/refuses.py, which checks a tool that must refuse, its exit code and its message
#   %simt_cuda a CUDA driver for NIBBLE_LIBCUDA that runs kernels on the CPU (test/runtime/drivers/cuda/fake/libcuda_simt.cpp)
#
# Features:
#   long       NIBBLE_LONG=1 is set; a test that takes more than 20 s has `REQUIRES: long`
#   mount      a test may mount a file system in a namespace of its own (an unrestricted root user may)
#   ptxas      the assembler of the CUDA toolkit is where nibble looks for it
import os
import shutil
import subprocess
import sys

import lit.formats

config.name = "nibble"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "data", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.nibble_build, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.nibble_build, "bin"), config.llvm_tools, os.environ.get("PATH", "")]
)
config.environment["OMP_NUM_THREADS"] = "2"
# Tests run the same programs again and again: each is compiled once for all of them. What an older build compiled is of no use.
cache = os.path.join(config.test_exec_root, "cache")
config.environment["NIBBLE_PROGRAM_CACHE"] = cache
tool = os.path.join(config.nibble_build, "bin", "nibble")
for entry in os.scandir(cache) if os.path.isdir(cache) and os.path.exists(tool) else []:
    if entry.stat().st_mtime < os.stat(tool).st_mtime:
        os.remove(entry.path)
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "NIBBLE_LONG", "NIBBLE_PTXAS", "CUDA_HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
if os.environ.get("NIBBLE_LONG") == "1":
    config.available_features.add("long")
if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0:
    config.available_features.add("mount")
toolkits = [os.path.join(folder, "bin") for folder in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if folder]
if shutil.which(os.environ.get("NIBBLE_PTXAS", "ptxas"), path=os.pathsep.join([os.environ.get("PATH", ""), *toolkits])):
    config.available_features.add("ptxas")
config.substitutions.append(("%test_bin", os.path.join(config.nibble_build, "test", "bin")))
config.substitutions.append(("%root", config.nibble_source))
config.substitutions.append(("%examples", os.path.join(config.nibble_source, "examples")))
config.substitutions.append(("%data", config.test_source_root))
config.substitutions.append(("%refuses", sys.executable + " " + os.path.join(config.test_source_root, "tools", "Inputs", "refuses.py")))
config.substitutions.append(("%simt_cuda", os.path.join(config.nibble_build, "test", "lib", "libsimt-cuda.so")))
config.substitutions.append(("%python", sys.executable))
