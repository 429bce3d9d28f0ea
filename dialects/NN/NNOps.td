//===- NNOps.td - all operations of the nn dialect --------------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNOPS
#define NIBBLE_DIALECTS_NN_NNOPS

include "dialects/NN/NNLayerOps.td"
include "dialects/NN/NNAttentionOps.td"
include "dialects/NN/NNLossOps.td"

#endif // NIBBLE_DIALECTS_NN_NNOPS
