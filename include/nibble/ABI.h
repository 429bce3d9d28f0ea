// The contract between compiled programs and the runtime: the program's table
// of functions, and the functions of the runtime that generated code calls.
/* The seam between generated code and the runtime. C, stdint only.
 *
 * A compiled program is a table of functions. Each function takes an array of
 * pointers, one per result and argument, and each of those points to a memref
 * descriptor as MLIR's C interface lays it out:
 *
 *     word 0  allocated pointer      word 1  aligned pointer      word 2 offset
 * in elements words 3 .. 3+rank-1            sizes in elements words 3+rank ..
 * 3+2*rank-1     strides in elements (row-major: the last is 1)
 *
 * Results come first: the caller passes room for the descriptors of all results
 * packed one after the other, and the function fills them. A result's memory
 * comes from the arena that was current during the call and belongs to it. */
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
  NIBBLE_ROLE_INPUT =
      0, /* given anew for every call: tokens, positions, advantages */
  NIBBLE_ROLE_PARAMETER =
      1,                /* a weight, named as in the checkpoint; read only */
  NIBBLE_ROLE_STATE = 2 /* updated in place by the call: gradients, moments,
                           masters, key and value cache */
} nibble_role;

typedef struct nibble_value_info {
  const char *name; /* of an input the graph's, of a parameter the checkpoint's,
                       of state "gradient:<parameter>" etc. */
  const char *packed; /* scheme and layout of a packed weight as text, else
                         null; dtype is then U8, shape is [bytes] */
  int32_t role;       /* nibble_role; of a result: NIBBLE_ROLE_INPUT */
  int32_t dtype;      /* nibble_dtype */
  int32_t rank;       /* <= NIBBLE_MAX_RANK */
  int64_t shape[NIBBLE_MAX_RANK]; /* -1: known at the call only */
} nibble_value_info;

typedef struct nibble_function {
  const char *name;
  int32_t argument_count;
  int32_t result_count;
  const nibble_value_info *arguments;
  const nibble_value_info *results;
  /* values[0] is the packed result descriptors (absent when result_count is 0),
   * then one pointer per argument, each to a pointer to its descriptor. */
  void (*entry)(void **values);
} nibble_function;

typedef struct nibble_program {
  uint32_t abi_version; /* NIBBLE_ABI_VERSION */
  int32_t function_count;
  const nibble_function *functions;
} nibble_program;

/* Memory for generated code, from the calling thread's current arena
 * (runtime/core/arena.h). Never null: without memory it does not return, and
 * the call that entered the code fails (runtime/core/guarded_call.h). */
void *nibble_arena_allocate(int64_t alignment, int64_t bytes);
void nibble_arena_release(void *pointer);

/* An assertion of a program does not hold (cf.assert): does not return, and the
 * call that entered the code fails with `text`, "<where>: <what>", which lives
 * as long as the program. */
void nibble_assert_failed(const char *text);

/* A check of a program (the check dialect): compares two dense tensors of one
 * element type and rank and records a failure, with `where` in front, for
 * whoever ran the program. Elements are floats of 16 (bf16), 32 or 64 bits, or
 * integers of 1 (a byte in memory), 8, 32 or 64. `ulp` < 0 and `relative` < 0:
 * not asked. Shapes are of `rank` extents.
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

/* A clock in nanoseconds, and the time since `began` added to what the kernel
 * `label` has taken (runtime/core/program/profile.h). A program calls these
 * only when it was compiled to be timed. `label` outlives the program's calls.
 */
int64_t nibble_profile_begin(void);
void nibble_profile_end(const char *label, int64_t began);

#ifdef __cplusplus
}
#endif
#endif
