# Helpers that keep every folder's CMakeLists.txt to a line or two.

# Flags of all our own code. `#include` strings are paths from the root of the repository; generated headers keep the
# same spelling below the build folder.
add_library(nibble_options INTERFACE)
target_include_directories(nibble_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(nibble_options INTERFACE -Wall -Wextra -Werror -fno-fast-math -ffp-contract=off)

# LLVM and MLIR as one shared library each. Their headers give no warnings.
add_library(nibble_mlir INTERFACE)
target_include_directories(nibble_mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_link_libraries(nibble_mlir INTERFACE MLIR LLVM)
# TableGen's output names parameters that it does not use.
target_compile_options(nibble_mlir INTERFACE -Wno-unused-parameter)

# Headers of libraries take longer to compile than our code, so they are precompiled. -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
# compiles every file without that, which shows missing #includes.
#
# nibble_add_headers(<name> [OPTIONS <option>...] [LIBRARIES <library>...] HEADERS <header>...)
# The options are those of the targets that use them.
function(nibble_add_headers name)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LIBRARIES;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "// Has precompiled headers.\n")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE nibble_options ${ARG_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  # Without a timestamp the bytes are the same each time, so that ccache finds what was compiled with them.
  target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp PUBLIC ${ARG_OPTIONS})
endfunction()

set(nibble_mlir_headers
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/GPU/IR/GPUDialect.h>
  <mlir/Dialect/LLVMIR/LLVMDialect.h>
  <mlir/Dialect/LLVMIR/NVVMDialect.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/ImplicitLocOpBuilder.h>
  <mlir/Pass/PassManager.h>
  <mlir/Transforms/GreedyPatternRewriteDriver.h>
  <mlir/Transforms/Passes.h>)
set(nibble_json_headers <nlohmann/json.hpp> <fmt/format.h> <fmt/ranges.h>)
set(nibble_test_headers <gmock/gmock.h> <gtest/gtest.h> ${nibble_json_headers})
set(nibble_json_libraries fmt::fmt nlohmann_json::nlohmann_json)

nibble_add_headers(nibble_mlir_headers LIBRARIES nibble_mlir HEADERS ${nibble_mlir_headers})
nibble_add_headers(nibble_runtime_headers LIBRARIES ${nibble_json_libraries} HEADERS ${nibble_json_headers})
nibble_add_headers(nibble_tool_headers LIBRARIES ${nibble_json_libraries} CLI11::CLI11 HEADERS <CLI/CLI.hpp> ${nibble_json_headers})
nibble_add_headers(nibble_mlir_tool_headers LIBRARIES ${nibble_json_libraries} CLI11::CLI11 nibble_mlir
                   HEADERS <CLI/CLI.hpp> ${nibble_json_headers} <mlir/IR/BuiltinOps.h>)
# Tests are compiled more often than they run. -O0 halves the time of a test of the runtime. Tests of MLIR code get -O1, because
# the linker may take their copies of inline functions for those of the passes.
nibble_add_headers(nibble_test_headers OPTIONS -O0 LIBRARIES ${nibble_json_libraries} GTest::gmock HEADERS ${nibble_test_headers})
nibble_add_headers(nibble_mlir_test_headers OPTIONS -O1 LIBRARIES ${nibble_json_libraries} GTest::gmock nibble_mlir
                   HEADERS ${nibble_test_headers} ${nibble_mlir_headers})

# Compiles a target with such headers. Executables use -fPIC as well, because the headers were compiled with it.
function(nibble_use_headers name headers)
  get_target_property(type ${name} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
  target_compile_options(${name} PRIVATE $<TARGET_PROPERTY:${headers},INTERFACE_COMPILE_OPTIONS>)
  target_precompile_headers(${name} REUSE_FROM ${headers})
endfunction()

# Compiles the files of a target in groups of eight, which nearly halves the time: a group reads the headers and generates the inline
# functions once. Names in anonymous namespaces must then differ within the target; a file that cannot do that gets
# SKIP_UNITY_BUILD_INCLUSION. -DNIBBLE_GROUP_FILES=OFF, as in the preset dev, compiles every file by itself.
option(NIBBLE_GROUP_FILES "Compile the files of a target in groups" ON)
function(nibble_group_files name)
  # Each pass has a DEBUG_TYPE of its own.
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${NIBBLE_GROUP_FILES} UNITY_BUILD_BATCH_SIZE 8
                                           UNITY_BUILD_CODE_BEFORE_INCLUDE "#undef DEBUG_TYPE")
endfunction()

# nibble_sources(<variable> [<room>...])
# Every .cpp in this folder and in its rooms, which are folders below it that are
# not libraries of their own.
function(nibble_sources variable)
  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(room ${ARGN})
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# nibble_add_library(<name> [MLIR] [GROUPED] [ROOMS <room>...] [DEPENDS <library>...] [TABLEGEN <target>...])
# A static library of every .cpp in this folder and in its rooms.
function(nibble_add_library name)
  cmake_parse_arguments(ARG "MLIR;GROUPED" "" "ROOMS;DEPENDS;TABLEGEN" ${ARGN})
  nibble_sources(sources ${ARG_ROOMS})
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE nibble_options ${ARG_DEPENDS})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC nibble_options ${ARG_DEPENDS})
  if(ARG_MLIR)
    target_link_libraries(${name} PUBLIC nibble_mlir)
    # MLIR code may include generated headers of any dialect, so generate all of them first.
    add_dependencies(${name} nibble-tablegen)
    nibble_use_headers(${name} nibble_mlir_headers)
  elseif(ARG_DEPENDS MATCHES "fmt::fmt|NibbleRuntime(Core|Formats)")
    nibble_use_headers(${name} nibble_runtime_headers)
  endif()
  if(ARG_GROUPED)
    nibble_group_files(${name})
  endif()
  if(ARG_TABLEGEN)
    add_dependencies(${name} ${ARG_TABLEGEN})
  endif()
endfunction()

# nibble_add_gtest(<name> [MLIR] [OPTIMIZED] [GROUPED] [SHARDS <count>] [ROOMS <room>...] [DEPENDS <library>...] [LABELS <label>...])
# One GoogleTest executable of every .cpp in this folder and in its rooms. Tests find their data below NIBBLE_TEST_DATA.
# test/error_texts.cpp checks the error texts that they provoke. OPTIMIZED tests compute much themselves, and get -O3. Each shard is a ctest entry with its part of the tests, so that
# a program of many slow tests runs on several cores.
function(nibble_add_gtest name)
  cmake_parse_arguments(ARG "MLIR;OPTIMIZED;GROUPED" "SHARDS" "ROOMS;DEPENDS;LABELS" ${ARGN})
  nibble_sources(sources ${ARG_ROOMS})
  add_executable(${name} ${sources} $<TARGET_OBJECTS:nibble_error_texts>)
  target_link_libraries(${name} PRIVATE nibble_options ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_MLIR)
    nibble_use_headers(${name} nibble_mlir_test_headers)
  elseif(NOT ARG_OPTIMIZED)
    nibble_use_headers(${name} nibble_test_headers)
  endif()
  if(ARG_GROUPED)
    nibble_group_files(${name})
  endif()
  target_compile_definitions(${name} PRIVATE NIBBLE_TEST_DATA="${PROJECT_SOURCE_DIR}/test")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/bin)
  if(NOT ARG_SHARDS)
    set(ARG_SHARDS 1)
  endif()
  math(EXPR last "${ARG_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(entry ${name})
    if(ARG_SHARDS GREATER 1)
      set(entry ${name}-${shard})
    endif()
    add_test(NAME ${entry} COMMAND ${name})
    set(environment GTEST_OUTPUT=json:${PROJECT_BINARY_DIR}/test/times/${entry}.json GTEST_TOTAL_SHARDS=${ARG_SHARDS} GTEST_SHARD_INDEX=${shard})
    # A program of several shards takes longest, so it starts first and the others run beside it.
    set_tests_properties(${entry} PROPERTIES LABELS "unit;${ARG_LABELS}" ENVIRONMENT "${environment}" COST ${ARG_SHARDS})
  endforeach()
  add_dependencies(nibble-unit-tests ${name})
endfunction()

add_custom_target(nibble-tablegen)
add_custom_target(nibble-unit-tests)
