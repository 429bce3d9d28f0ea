// Text to tokens and back: the BPE tokenizers of a HuggingFace
// `tokenizer.json`, over bytes (Llama 3, Qwen, GPT-2, DeepSeek) or over
// characters with byte fallback (Llama 2, TinyLlama, Yi, Mistral).
//
// The order of work is that of the reference implementation: added tokens,
// normalizer, added tokens of normalized text, pre_tokenizer, model,
// post_processor. `truncation` and `padding` of the file are not applied.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/tokenizer/added_tokens.h"
#include "runtime/formats/tokenizer/bpe.h"
#include "runtime/formats/tokenizer/normalizer.h"
#include "runtime/formats/tokenizer/pre_tokenizer.h"
#include "runtime/formats/tokenizer/token_decoder.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Const members may be called from any number of threads.
class Tokenizer {
public:
  // A tokenizer.json, or the folder that holds one. Bad input naming file,
  // field and reason: no file, not JSON, and every feature that we do not have
  // (other models than BPE, normalizers with a table of their own, ...).
  static Result<Tokenizer> load(const std::filesystem::path &path);
  // Whether that file exists, good or bad.
  static bool isThere(const std::filesystem::path &path);
  // The content of a tokenizer.json.
  static Result<Tokenizer> parse(std::string_view content);

  // With `addSpecialTokens` the post_processor puts its tokens (Llama 3: begin
  // of text) around. Added tokens that stand in the text become their ids
  // either way. Bad input when the text is not UTF-8, naming the byte, or is
  // pathological.
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool addSpecialTokens) const;

  // What to tell who loads it: text that cannot be encoded without loss, fields
  // that are not applied.
  const std::vector<std::string> &warnings() const { return warnings_; }

  // Bytes that are not UTF-8 become U+FFFD. Ids that are no token (a model's
  // embedding may have spare rows) give nothing.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

  // The id of an added token's text or of a vocabulary entry as the file spells
  // it.
  std::optional<int32_t> tokenId(std::string_view token) const;
  // The bytes of one token, which need not be UTF-8; over characters its
  // spelling ("\u2581the", "<0x0A>"). nullopt when there is none of that id.
  std::optional<std::string_view> tokenBytes(int32_t id) const;
  bool isSpecial(int32_t id) const;
  // One more than the largest id.
  int64_t vocabularySize() const;

private:
  // `isFirst`: the text stands at the beginning of what is encoded.
  Status encodeText(std::string_view text, bool isFirst,
                    std::vector<int32_t> &out) const;

  friend class TokenizerFile;
  friend class StreamDecoder;
  Tokenizer(Bpe bpe, PreTokenizer preTokenizer)
      : bpe_(std::move(bpe)), preTokenizer_(std::move(preTokenizer)) {}

  Bpe bpe_;
  Normalizer normalizer_;
  PreTokenizer preTokenizer_;
  TokenDecoder decoder_;
  std::unordered_map<int32_t, AddedToken> added_;
  std::unordered_map<std::string, int32_t> addedIds_;
  AddedTokenMatcher rawMatcher_;
  AddedTokenMatcher normalizedMatcher_;
  std::vector<int32_t> prefix_;
  std::vector<int32_t> suffix_;
  std::vector<std::string> warnings_;
};

// Decodes token by token: what it has returned so far is a prefix of decode of
// all of them, and never ends inside a character. Keeps a pointer to the
// tokenizer.
class StreamDecoder {
public:
  StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer_(&tokenizer), skipSpecial_(skipSpecial),
        state_(tokenizer.decoder_.begin()) {}

  // The text that is certain now that this token came; possibly none.
  std::string push(int32_t id);
  // What was held back: U+FFFD when the tokens ended inside a character. Starts
  // anew.
  std::string finish();

private:
  const Tokenizer *tokenizer_;
  bool skipSpecial_;
  std::string held_;          // over bytes
  TokenDecoder::State state_; // over characters
};

} // namespace nibble
