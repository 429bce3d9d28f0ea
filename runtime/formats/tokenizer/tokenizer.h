// Text to tokens and back: the BPE tokenizers of a HuggingFace
// `tokenizer.json`. They work over bytes (Llama 3, Qwen, GPT-2, DeepSeek) or
// over characters with byte fallback (Llama 2, TinyLlama, Yi, Mistral).
//
// The steps have the order of the reference implementation: added tokens,
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

// Any number of threads may call const members.
class Tokenizer {
public:
  // Loads a tokenizer.json, or the one in a folder. Bad input with file, field
  // and reason: no file, not JSON, or an unsupported feature. Unsupported are
  // for example models other than BPE, and normalizers with a table of their
  // own.
  static Result<Tokenizer> load(const std::filesystem::path &path);
  // Whether the file exists, valid or not.
  static bool isThere(const std::filesystem::path &path);
  // Parses the content of a tokenizer.json.
  static Result<Tokenizer> parse(std::string_view content);

  // Encodes a text. With `addSpecialTokens` the post_processor adds its tokens
  // around it (Llama 3: begin of text). Added tokens in the text become their
  // ids in any case. Bad input when the text is not UTF-8 (naming the byte) or
  // is pathological.
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool addSpecialTokens) const;

  // Warnings for the user: text that cannot be encoded without loss, fields
  // that are not applied.
  const std::vector<std::string> &warnings() const { return warnings_; }

  // Bytes that are not UTF-8 become U+FFFD. Ids without a token produce no
  // text; a model's embedding may have spare rows.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

  // The id of an added token's text, or of a vocabulary entry in the file's
  // spelling.
  std::optional<int32_t> tokenId(std::string_view token) const;
  // The bytes of one token, which need not be UTF-8. Over characters, its
  // spelling ("\u2581the", "<0x0A>"). nullopt when no token has that id.
  std::optional<std::string_view> tokenBytes(int32_t id) const;
  bool isSpecial(int32_t id) const;
  // The largest id plus one.
  int64_t vocabularySize() const;

private:
  // `isFirst` means that the text begins the encoded text.
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

// Decodes token by token. The text returned so far is a prefix of the decoding
// of all tokens and never ends inside a character. Keeps a pointer to the
// tokenizer.
class StreamDecoder {
public:
  StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer_(&tokenizer), skipSpecial_(skipSpecial),
        state_(tokenizer.decoder_.begin()) {}

  // Takes a token and returns the text that is now certain, possibly none.
  std::string push(int32_t id);
  // Returns the text that was held back, and starts anew. It is U+FFFD when the
  // tokens ended inside a character.
  std::string finish();

private:
  const Tokenizer *tokenizer_;
  bool skipSpecial_;
  std::string held_;          // for bytes
  TokenDecoder::State state_; // for characters
};

} // namespace nibble
