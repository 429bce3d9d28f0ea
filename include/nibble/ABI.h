// The contract between compiled programs and the runtime: the program's table
// of functions, and the functions of the runtime that generated code calls.
// C, stdint only.
//
// A compiled program is a table of functions. Each function takes an array of
// pointers, one per result and argument. Each of them points to a memref
// descriptor as MLIR's C interface lays it out:
//
// - word 0: the allocated pointer;
// - word 1: the aligned pointer;
// - word 2: the offset in elements;
// - words 3 to 2 + rank: the sizes in elements;
// - words 3 + rank to 2 + 2 * rank: the strides in elements (row-major: the
//   last is 1).
//
// Results come first. The caller passes room for the descriptors of all
// results, packed one after the other, and the function fills them. A result's
// memory comes from the arena that was current during the call, which owns it.
#ifndef NIBBLE_ABI_H
#define NIBBLE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a struct below or the meaning of a field changes. A program
 * of another version is refused. */
#define NIBBLE_ABI_VERSION 2

/* Largest rank of a tensor that crosses the seam. */
#define NIBBLE_MAX_RANK 8

typedef enum nibble_dtype {
  NIBBLE_DTYPE_F32 = 0,
  NIBBLE_DTYPE_BF16 = 1,
  NIBBLE_DTYPE_F64 = 2,
  NIBBLE_DTYPE_I8 = 3,
  NIBBLE_DTYPE_I32 = 4,
  NIBBLE_DTYPE_I64 = 5,
  NIBBLE_DTYPE_U8 = 6,
  NIBBLE_DTYPE_I1 = 7,
  NIBBLE_DTYPE_F16 = 8
} nibble_dtype;

/* What an argument of a program's function is; the runtime binds it
 * accordingly. */
typedef enum nibble_role {
  /* given anew for every call: tokens, positions, advantages */
  NIBBLE_ROLE_INPUT = 0,
  /* a weight, named as in the checkpoint; read only */
  NIBBLE_ROLE_PARAMETER = 1,
  /* updated in place by the call: gradients, moments, master weights, key and
   * value cache */
  NIBBLE_ROLE_STATE = 2
} nibble_role;

typedef struct nibble_value_info {
  /* The name that the graph gives an input, the checkpoint a parameter;
   * "gradient:<parameter>" and the like for a state. */
  const char *name;
  /* Scheme and layout of a packed weight as text; its dtype is U8 and its shape
   * is [bytes]. Null for any other value. */
  const char *packed;
  int32_t role;                   /* nibble_role; INPUT for a result */
  int32_t dtype;                  /* nibble_dtype */
  int32_t rank;                   /* <= NIBBLE_MAX_RANK */
  int64_t shape[NIBBLE_MAX_RANK]; /* -1: known only at the call */
} nibble_value_info;

typedef struct nibble_function {
  const char *name;
  int32_t argument_count;
  int32_t result_count;
  const nibble_value_info *arguments;
  const nibble_value_info *results;
  /* values[0] points to the packed result descriptors and is absent when
   * result_count is 0. Then comes one pointer per argument, each to a pointer
   * to its descriptor. */
  void (*entry)(void **values);
} nibble_function;

typedef struct nibble_program {
  uint32_t abi_version; /* NIBBLE_ABI_VERSION */
  int32_t function_count;
  const nibble_function *functions;
} nibble_program;

/* Memory for generated code, from the calling thread's current arena
 * (runtime/core/arena.h). Never returns null: when memory runs out, the call
 * that entered the code fails (runtime/core/guarded_call.h). */
void *nibble_arena_allocate(int64_t alignment, int64_t bytes);
void nibble_arena_release(void *pointer);

/* Called when a cf.assert of a program fails. Does not return: the call that
 * entered the code fails with `text`, which is "<where>: <what>" and lives as
 * long as the program. */
void nibble_assert_failed(const char *text);

/* Checks of a program (the check dialect). They compare two dense tensors of
 * one element type and rank. A failure is recorded, with `where` in front, for
 * whoever ran the program. Elements are floats of 16 (bf16), 32 or 64 bits, or
 * integers of 1 (stored as a byte), 8, 32 or 64 bits. Shapes have `rank`
 * extents. A bound `ulp` or `relative` below 0 is not checked.
 */
void nibble_check_expect_eq(const char *where, int64_t is_float, int64_t bits,
                            int64_t rank, const int64_t *actual_shape,
                            const int64_t *expected_shape, const void *actual,
                            const void *expected);
void nibble_check_expect_close(const char *where, int64_t is_float,
                               int64_t bits, int64_t rank,
                               const int64_t *actual_shape,
                               const int64_t *expected_shape,
                               const void *actual, const void *expected,
                               int64_t ulp, double relative);

/* `begin` reads a clock in nanoseconds. `end` adds the time since `began` to
 * the total of the kernel `label` (runtime/core/program/profile.h). A program
 * calls these only when it was compiled to be timed. `label` outlives the
 * program's calls. */
int64_t nibble_profile_begin(void);
void nibble_profile_end(const char *label, int64_t began);

#ifdef __cplusplus
}
#endif
#endif
