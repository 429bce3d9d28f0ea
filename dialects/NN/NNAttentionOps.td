//===- NNAttentionOps.td - attention over a batch and over a paged cache ----===//

#ifndef NIBBLE_DIALECTS_NN_NNATTENTIONOPS
#define NIBBLE_DIALECTS_NN_NNATTENTIONOPS

include "dialects/NN/NNBase.td"

def NN_AttentionOp : NN_Op<"attention", [AllTypesMatch<["q", "y"]>, AllTypesMatch<["k", "v"]>]> {
  let summary = "Causal attention of a ragged batch with grouped queries.";
  let description = [{
    Token t of a sequence attends to the tokens of its own sequence up to itself (the last `window` of them when `window` is not 0).
    Query head h reads key/value head `h / (heads / kv_heads)`.

    Order (N14): keys come in blocks of `kv_block` positions, aligned to absolute position. A score is one ascending
    float32 chain over the head's elements, then times `scale`. Each block updates the running maximum m, sum l and
    output o:

    - `m' = max(m, max(s))`, `a = exp(m - m')`, `p = exp(s - m')`;
    - `l = l*a + sum16(p)`, with two roundings; lane i of the sum takes keys i, i + 16, ... of the block;
    - `o = o*a`, then `o += p_j v_j` with keys ascending, one fused multiply-add each.

    The results are `y = E(o / l)` and `lse = m + log(l)`. Keys that the row may not see have no effect, even if they
    are NaN.

    - `q`: bf16 or float32 [T, heads*D], the queries, rotated; a head is D consecutive features.
    - `k`, `v`: of the same element type, [T, kv_heads*D], the keys, rotated, and the values.
    - `positions`: i32 [T], and `sequences`: i32 [S + 1], describe the batch as the dialect says.
    - `heads`, `kv_heads`: the number of heads of queries and of keys; `heads` is a multiple of `kv_heads`.
    - `scale`: the factor of every score, usually 1 / sqrt(D).
    - `kv_block`: keys in a block of the sum, in positions.
    - `window`: the number of positions that a token sees, its own included; 0 for all.
    - `y`: like `q`, the mean of the values under the softmax of the scores.
    - `lse`: float32 [T, heads], the log-sum-exp of the scores of each row and head, which the gradient reads.

    Example:

    ```mlir
    %y, %lse = nn.attention %q, %k, %v, %positions, %sequences
        {heads = 16, kv_heads = 8, scale = 0.08838834764 : f32, kv_block = 64}
        : tensor<?x2048xbf16>, tensor<?x1024xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x16xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$q, NN_Rows:$k, NN_Rows:$v, NN_IndexVector:$positions, NN_IndexVector:$sequences,
                       I64Attr:$heads, I64Attr:$kv_heads, F32Attr:$scale, I64Attr:$kv_block,
                       DefaultValuedAttr<I64Attr, "0">:$window);
  let results = (outs NN_Rows:$y, NN_FloatMatrix:$lse);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $positions `,` $sequences attr-dict
    `:` type($q) `,` type($k) `,` type($positions) `,` type($sequences) `->` type($lse)
  }];
  let hasVerifier = 1;
}

def NN_AttentionGradOp : NN_Op<"attention_grad", [
    AllTypesMatch<["q", "y", "dy", "dq"]>, AllTypesMatch<["k", "v", "dk", "dv"]>]> {
  let summary = "Gradients of attention.";
  let description = [{
    With `p = exp(s*scale - lse)`, `d = sum(dy * y)` for a row and head (N13) and `ds = p * (dy.v - d) * scale`:

    - `dq = sum_j ds_j k_j`, keys ascending;
    - `dk_j = sum_t ds q_t` and `dv_j = sum_t p dy_t`, queries ascending, and for each query the heads of the group
      ascending.

    Each is one float32 chain of fused multiply-adds that starts at 0. The results are rounded once.

    - `dy`: like `y`, the gradient of the attention's result.
    - `q`, `k`, `v`, `positions`, `sequences`, `heads`, `kv_heads`, `scale`, `kv_block`, `window`: as in `nn.attention`.
    - `y`, `lse`: the results of `nn.attention` on them.
    - `dq`: bf16 or float32 [T, heads*D], the gradient of `q`; `dk`, `dv`: [T, kv_heads*D], those of `k` and `v`.

    Example:

    ```mlir
    %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %positions, %sequences
        {heads = 16, kv_heads = 8, scale = 0.08838834764 : f32, kv_block = 64}
        : tensor<?x2048xbf16>, tensor<?x1024xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_Rows:$q, NN_Rows:$k, NN_Rows:$v, NN_Rows:$y, NN_FloatMatrix:$lse,
                       NN_IndexVector:$positions, NN_IndexVector:$sequences,
                       I64Attr:$heads, I64Attr:$kv_heads, F32Attr:$scale, I64Attr:$kv_block,
                       DefaultValuedAttr<I64Attr, "0">:$window);
  let results = (outs NN_Rows:$dq, NN_Rows:$dk, NN_Rows:$dv);
  let assemblyFormat = [{
    $dy `,` $q `,` $k `,` $v `,` $y `,` $lse `,` $positions `,` $sequences attr-dict
    `:` type($q) `,` type($k) `,` type($lse) `,` type($positions) `,` type($sequences)
  }];
  let hasVerifier = 1;
}

def NN_CacheWriteOp : NN_Op<"cache_write", [NN_InPlace<"2, 0, 3, 1">, 
    AllTypesMatch<["k", "v"]>, AllTypesMatch<["key_cache", "new_key_cache"]>, AllTypesMatch<["value_cache", "new_value_cache"]>]> {
  let summary = "Stores the keys and values of a batch in the pages of their sequences.";
  let description = [{
    Token t of sequence s at position p is stored in page `pages[s, p / B]`, slot `p % B`, where B is the page size.
    Keys are stored as [page, kv_head, element, slot], so that a decode step reads one element of many keys at once.
    Values are stored as [page, kv_head, slot, element]. The op copies without rounding, and works in place after
    bufferization.

    - `k`, `v`: bf16 or float32 [T, kv_heads*D], the keys, rotated, and the values of the batch.
    - `key_cache`: [pages, kv_heads, D, B], and `value_cache`: [pages, kv_heads, B, D], the caches so far.
    - `positions`: i32 [T], and `sequences`: i32 [S + 1], describe the batch as the dialect says.
    - `pages`: i32 [S, P], the page of each block of B positions of each sequence.
    - `new_key_cache`, `new_value_cache`: the caches with the keys and values of the batch in their slots.

    Example:

    ```mlir
    %kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %positions, %sequences, %pages
        : tensor<?x1024xbf16>, tensor<?x8x128x64xbf16>, tensor<?x8x64x128xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    ```
  }];
  let arguments = (ins NN_Rows:$k, NN_Rows:$v, NN_Cache:$key_cache, NN_Cache:$value_cache,
                       NN_IndexVector:$positions, NN_IndexVector:$sequences, NN_IndexMatrix:$pages);
  let results = (outs NN_Cache:$new_key_cache, NN_Cache:$new_value_cache);
  let assemblyFormat = [{
    $k `,` $v `,` $key_cache `,` $value_cache `,` $positions `,` $sequences `,` $pages attr-dict
    `:` type($k) `,` type($key_cache) `,` type($value_cache) `,` type($positions) `,` type($sequences) `,` type($pages)
  }];
  let hasVerifier = 1;
}

def NN_RopeCacheWriteOp : NN_Op<"rope_cache_write", [NN_InPlace<"8, 1, 9, 2">, 
    AllTypesMatch<["k", "v"]>, AllTypesMatch<["q", "rotated"]>, AllTypesMatch<["cos", "sin"]>,
    AllTypesMatch<["key_cache", "new_key_cache"]>, AllTypesMatch<["value_cache", "new_value_cache"]>]> {
  let summary = "Rotates queries and keys, and stores keys and values in the pages of their sequences.";
  let description = [{
    The ops between the projections and `nn.paged_attention`, as one op: `rotated = nn.rope(q)` and
    `nn.cache_write(nn.rope(k), v)`, with the same bits. With `norms`, the weights of the query norm and the key norm,
    each head goes through `nn.rms_norm` before it is rotated. Only programs for a device contain it
    (`nibble-fuse-launches`). It works in place after bufferization.

    - `q`: bf16 or float32 [T, heads*D], the queries; `k`, `v`: [T, kv_heads*D], the keys and values; none is rotated yet.
    - `cos`, `sin`: float32 [T, D/2], the results of `nn.rope_table`.
    - `positions`, `sequences`, `pages`, `key_cache`, `value_cache`: as in `nn.cache_write`.
    - `norms`: two weights [D], of the query norm and of the key norm, or none; `epsilon` belongs to both norms.
    - `rotated`: like `q`, the queries after norm and rotation.
    - `new_key_cache`, `new_value_cache`: as in `nn.cache_write`.

    Example:

    ```mlir
    %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %v, %cos, %sin, %positions, %sequences, %pages, %kc, %vc
        norms(%nq, %nk : tensor<128xbf16>, tensor<128xbf16>) {epsilon = 1.0e-6 : f32}
        : tensor<?x2048xbf16>, tensor<?x1024xbf16>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>,
          tensor<?x8x128x64xbf16>, tensor<?x8x64x128xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$q, NN_Rows:$k, NN_Rows:$v, NN_FloatMatrix:$cos, NN_FloatMatrix:$sin,
                       NN_IndexVector:$positions, NN_IndexVector:$sequences, NN_IndexMatrix:$pages,
                       NN_Cache:$key_cache, NN_Cache:$value_cache, Variadic<NN_Vector>:$norms,
                       DefaultValuedAttr<F32Attr, "0.0f">:$epsilon);
  let results = (outs NN_Rows:$rotated, NN_Cache:$new_key_cache, NN_Cache:$new_value_cache);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $cos `,` $sin `,` $positions `,` $sequences `,` $pages `,` $key_cache `,` $value_cache
    (`norms` `(` $norms^ `:` type($norms) `)`)? attr-dict
    `:` type($q) `,` type($k) `,` type($cos) `,` type($positions) `,` type($sequences) `,` type($pages)
    `,` type($key_cache) `,` type($value_cache)
  }];
  let hasVerifier = 1;
}

def NN_PagedAttentionOp : NN_Op<"paged_attention", [AllTypesMatch<["q", "y"]>]> {
  let summary = "nn.attention with keys and values in a paged cache.";
  let description = [{
    The sums and their order are those of `nn.attention` (N14), so the bits are the same. Token t of sequence s
    attends to positions 0..positions[t] of the cache, which `nn.cache_write` has filled. The page size is a multiple
    of `kv_block`.

    - `q`: bf16 or float32 [T, heads*D], the queries, rotated.
    - `key_cache`: [pages, kv_heads, D, B], and `value_cache`: [pages, kv_heads, B, D], with the keys and values of the batch in them.
    - `positions`, `sequences`, `pages`: as in `nn.cache_write`; `heads`, `kv_heads`, `scale`, `kv_block`, `window`: as in `nn.attention`.
    - `y`: like `q`, as in `nn.attention`.

    Example:

    ```mlir
    %y = nn.paged_attention %q, %kc, %vc, %positions, %sequences, %pages
        {heads = 16, kv_heads = 8, scale = 0.08838834764 : f32, kv_block = 64}
        : tensor<?x2048xbf16>, tensor<?x8x128x64xbf16>, tensor<?x8x64x128xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    ```
  }];
  let arguments = (ins NN_Rows:$q, NN_Cache:$key_cache, NN_Cache:$value_cache,
                       NN_IndexVector:$positions, NN_IndexVector:$sequences, NN_IndexMatrix:$pages,
                       I64Attr:$heads, I64Attr:$kv_heads, F32Attr:$scale, I64Attr:$kv_block,
                       DefaultValuedAttr<I64Attr, "0">:$window);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = [{
    $q `,` $key_cache `,` $value_cache `,` $positions `,` $sequences `,` $pages attr-dict
    `:` type($q) `,` type($key_cache) `,` type($value_cache) `,` type($positions) `,` type($sequences) `,` type($pages)
  }];
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_NN_NNATTENTIONOPS
