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

# MLIR's headers take longer to compile than our code, so they are precompiled. -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON compiles
# every file without that, which shows missing #includes.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/mlir_headers.cpp CONTENT "// Has the precompiled headers of MLIR.\n")
add_library(nibble_mlir_headers OBJECT ${CMAKE_BINARY_DIR}/mlir_headers.cpp)
target_link_libraries(nibble_mlir_headers PRIVATE nibble_options nibble_mlir)
target_precompile_headers(nibble_mlir_headers PRIVATE
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
# Without a timestamp the bytes are the same each time, so that ccache finds what was compiled with them.
target_compile_options(nibble_mlir_headers PRIVATE -Xclang -fno-pch-timestamp)

# Compiles a target of MLIR code with the precompiled headers. Executables use -fPIC as well, because the headers were compiled with it.
function(nibble_use_mlir_headers name)
  get_target_property(type ${name} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${name} REUSE_FROM nibble_mlir_headers)
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

# nibble_add_library(<name> [MLIR] [ROOMS <room>...] [DEPENDS <library>...] [TABLEGEN <target>...])
# A static library of every .cpp in this folder and in its rooms.
function(nibble_add_library name)
  cmake_parse_arguments(ARG "MLIR" "" "ROOMS;DEPENDS;TABLEGEN" ${ARGN})
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
    nibble_use_mlir_headers(${name})
  endif()
  if(ARG_TABLEGEN)
    add_dependencies(${name} ${ARG_TABLEGEN})
  endif()
endfunction()

# nibble_add_gtest(<name> [ROOMS <room>...] [DEPENDS <library>...] [LABELS <label>...])
# One GoogleTest executable of every .cpp in this folder and in its rooms, with one ctest entry. Tests find their data below
# NIBBLE_TEST_DATA. test/error_texts.cpp checks the error texts that they provoke.
function(nibble_add_gtest name)
  cmake_parse_arguments(ARG "" "" "ROOMS;DEPENDS;LABELS" ${ARGN})
  nibble_sources(sources ${ARG_ROOMS})
  add_executable(${name} ${sources} $<TARGET_OBJECTS:nibble_error_texts>)
  target_link_libraries(${name} PRIVATE nibble_options ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE NIBBLE_TEST_DATA="${PROJECT_SOURCE_DIR}/test")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/bin)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "unit;${ARG_LABELS}")
  add_dependencies(nibble-unit-tests ${name})
endfunction()

add_custom_target(nibble-tablegen)
add_custom_target(nibble-unit-tests)
