// Reads a tokenizer.json into a Tokenizer, and refuses what would silently
// change tokens.
#include "runtime/core/file.h"
#include "runtime/formats/io.h"
#include "runtime/formats/json.h"
#include "runtime/formats/tokenizer/tokenizer.h"
#include "runtime/formats/tokenizer/tokenizer_fields.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

namespace nibble {

namespace {

constexpr int64_t kLargestFile = int64_t{256} << 20;
constexpr size_t kLongestAddedToken = 1024;

Result<AddedToken> parseAddedToken(const Json &value) {
  if (!value.is_object())
    return Status::badInput("is not an object; correct the entry");
  AddedToken token;
  NIBBLE_ASSIGN(token.content, fields::text(value, "content"));
  if (token.content.empty() || token.content.size() > kLongestAddedToken)
    return Status::badInput(fmt::format("has {} bytes: want 1 to {}",
                                        token.content.size(),
                                        kLongestAddedToken));
  auto id = value.find("id");
  if (id == value.end() || !id->is_number_integer() || *id < 0 ||
      *id >= Bpe::kMaximumId)
    return Status::badInput(
        fmt::format("'{}' has no id from 0 to {}; give it one",
                    printable(token.content), Bpe::kMaximumId - 1));
  token.id = id->get<int32_t>();
  NIBBLE_ASSIGN(token.singleWord, fields::flag(value, "single_word", false));
  NIBBLE_ASSIGN(token.lstrip, fields::flag(value, "lstrip", false));
  NIBBLE_ASSIGN(token.rstrip, fields::flag(value, "rstrip", false));
  NIBBLE_ASSIGN(token.special, fields::flag(value, "special", false));
  NIBBLE_ASSIGN(token.normalized,
                fields::flag(value, "normalized", !token.special));
  return token;
}

} // namespace

class TokenizerFile {
public:
  static Result<Tokenizer> read(const Json &root) {
    if (!root.is_object() || !root.contains("model"))
      return Status::badInput("has no field 'model'; want a tokenizer.json of "
                              "the HuggingFace tokenizers library");
    NIBBLE_ASSIGN(PreTokenizer preTokenizer,
                  part<PreTokenizer>(root, "pre_tokenizer"));
    NIBBLE_ASSIGN(TokenDecoder decoder, part<TokenDecoder>(root, "decoder"));
    if (preTokenizer.isByteLevel() != decoder.isByteLevel())
      return Status::badInput(fmt::format(
          "{} is ByteLevel and {} is not: they do not belong together; use "
          "ByteLevel for both or for neither",
          preTokenizer.isByteLevel() ? "pre_tokenizer" : "decoder",
          preTokenizer.isByteLevel() ? "decoder" : "pre_tokenizer"));
    NIBBLE_ASSIGN(Bpe bpe,
                  Bpe::create(root["model"], preTokenizer.isByteLevel()
                                                 ? Bpe::Symbols::kBytes
                                                 : Bpe::Symbols::kCharacters));
    Tokenizer tokenizer(std::move(bpe), std::move(preTokenizer));
    tokenizer.decoder_ = std::move(decoder);
    NIBBLE_ASSIGN(tokenizer.normalizer_, part<Normalizer>(root, "normalizer"));
    NIBBLE_TRY(readAddedTokens(root, tokenizer).within("added_tokens"));
    NIBBLE_TRY(readPostProcessor(root, tokenizer).within("post_processor"));
    tokenizer.warnings_ = tokenizer.bpe_.warnings();
    for (const char *field : {"truncation", "padding"})
      if (fields::isSet(root, field))
        tokenizer.warnings_.push_back(
            fmt::format("{} is set and is not applied: texts keep their "
                        "length; set it to null to silence this",
                        field));
    return tokenizer;
  }

private:
  // Reads one field's value; null when it is absent.
  template <typename Part>
  static Result<Part> part(const Json &root, const char *field) {
    auto value = root.find(field);
    Result<Part> made = Part::create(value == root.end() ? Json() : *value);
    if (!made.isOk())
      return std::move(made).takeStatus().within(field);
    return made;
  }

  static Status readAddedTokens(const Json &root, Tokenizer &tokenizer) {
    if (!root.contains("added_tokens"))
      return Status::ok();
    NIBBLE_ASSIGN(std::vector<const Json *> values,
                  fields::items(root, "added_tokens"));
    std::vector<AddedToken> raw, normalized;
    for (size_t i = 0; i < values.size(); ++i) {
      Result<AddedToken> parsed = parseAddedToken(*values[i]);
      if (!parsed.isOk())
        return std::move(parsed).takeStatus().within(
            fmt::format("entry {}", i));
      AddedToken token = *std::move(parsed);
      NIBBLE_TRY(checkId(token, tokenizer));
      tokenizer.addedIds_.emplace(token.content, token.id);
      // The token is found in its normal form, and becomes text in that form.
      if (token.normalized) {
        NIBBLE_ASSIGN(Normalizer::Normalized normal,
                      tokenizer.normalizer_.apply(token.content));
        token.content = std::move(normal.text);
      }
      tokenizer.added_.emplace(token.id, token);
      if (!token.content.empty())
        (token.normalized ? normalized : raw).push_back(std::move(token));
    }
    tokenizer.rawMatcher_ = AddedTokenMatcher(std::move(raw));
    tokenizer.normalizedMatcher_ = AddedTokenMatcher(std::move(normalized));
    return Status::ok();
  }

  // An added token must be new, or be the vocabulary entry with the same text
  // and id.
  static Status checkId(const AddedToken &token, const Tokenizer &tokenizer) {
    std::optional<int32_t> entry = tokenizer.bpe_.idOf(token.content);
    if (tokenizer.added_.contains(token.id) ||
        tokenizer.addedIds_.contains(token.content))
      return Status::badInput(
          fmt::format("'{}' (id {}) is given twice; remove one",
                      printable(token.content), token.id));
    if (entry && *entry != token.id)
      return Status::badInput(
          fmt::format("'{}' has id {}, but {} in vocab; give it that of vocab",
                      printable(token.content), token.id, *entry));
    if (!entry && tokenizer.bpe_.bytesOf(token.id))
      return Status::badInput(fmt::format(
          "'{}' has id {}, which vocab gives to another entry; give it another",
          printable(token.content), token.id));
    return Status::ok();
  }

  static Status readPostProcessor(const Json &root, Tokenizer &tokenizer) {
    auto value = root.find("post_processor");
    if (value == root.end())
      return Status::ok();
    NIBBLE_ASSIGN(std::vector<const Json *> parts,
                  fields::parts(*value, "processors"));
    for (const Json *part : parts) {
      NIBBLE_ASSIGN(std::string type, fields::type(*part));
      // It changes offsets only.
      if (type == "ByteLevel")
        continue;
      if (type != "TemplateProcessing")
        return Status::badInput(
            fmt::format("'{}' is not supported: known are TemplateProcessing, "
                        "ByteLevel, Sequence",
                        printable(type)));
      NIBBLE_TRY(readTemplate(*part, tokenizer));
    }
    return Status::ok();
  }

  // `single` lists tokens before, the sequence, and tokens after it. A later
  // template wraps an earlier one.
  static Status readTemplate(const Json &value, Tokenizer &tokenizer) {
    NIBBLE_ASSIGN(std::vector<const Json *> items,
                  fields::items(value, "single"));
    std::vector<int32_t> before, behind;
    int sequences = 0;
    for (const Json *item : items) {
      if (item->is_object() && item->contains("Sequence")) {
        ++sequences;
        continue;
      }
      if (!item->is_object() || !item->contains("SpecialToken"))
        return Status::badInput(
            "single has an element that is neither SpecialToken nor Sequence; "
            "correct the element");
      NIBBLE_ASSIGN(std::string name,
                    fields::text((*item)["SpecialToken"], "id"));
      auto specials = value.find("special_tokens");
      if (specials == value.end() || !specials->is_object() ||
          !specials->contains(name))
        return Status::badInput(fmt::format(
            "special_tokens has no '{}', which single names; add it",
            printable(name)));
      NIBBLE_ASSIGN(std::vector<const Json *> ids,
                    fields::items((*specials)[name], "ids"));
      for (const Json *id : ids) {
        if (!id->is_number_integer() || *id < 0 || *id >= Bpe::kMaximumId ||
            !tokenizer.tokenBytes(id->get<int32_t>()))
          return Status::badInput(
              fmt::format("special token '{}' has id {}, which is no token; "
                          "use the id of a token",
                          printable(name), printable(id->dump())));
        (sequences ? behind : before).push_back(id->get<int32_t>());
      }
    }
    if (sequences != 1)
      return Status::badInput(
          fmt::format("single has {} sequences: want one", sequences));
    tokenizer.prefix_.insert(tokenizer.prefix_.begin(), before.begin(),
                             before.end());
    tokenizer.suffix_.insert(tokenizer.suffix_.end(), behind.begin(),
                             behind.end());
    return Status::ok();
  }
};

Result<Tokenizer> Tokenizer::parse(std::string_view content) {
  JsonLimits limits;
  limits.bytes = kLargestFile;
  NIBBLE_ASSIGN(Json root, parseJson(content, "tokenizer", limits));
  return TokenizerFile::read(root);
}

namespace fs = std::filesystem;

static fs::path fileOf(const fs::path &path) {
  std::error_code error;
  return fs::is_directory(path, error) ? path / "tokenizer.json" : path;
}

bool Tokenizer::isThere(const fs::path &path) {
  std::error_code error; // true for a dangling link too
  return fs::symlink_status(fileOf(path), error).type() !=
         fs::file_type::not_found;
}

Result<Tokenizer> Tokenizer::load(const fs::path &path) {
  std::error_code error;
  fs::path file = fileOf(path);
  if (!fs::exists(file, error)) {
    for (const char *other : {"tiktoken.model", "tokenizer.model"})
      if (fs::exists(file.parent_path() / other, error))
        return Status::badInput(
            fmt::format("no tokenizer at {}: there is a {}, which is not read; "
                        "convert it with "
                        "transformers' AutoTokenizer and save_pretrained",
                        file.string(), other));
    return Status::badInput(fmt::format(
        "no tokenizer at {}: give a tokenizer.json or the folder that holds it",
        file.string()));
  }
  NIBBLE_ASSIGN(std::string content, readFile(file, kLargestFile));
  Result<Tokenizer> tokenizer = parse(withoutByteOrderMark(content));
  if (!tokenizer.isOk())
    return std::move(tokenizer).takeStatus().within("cannot use tokenizer " +
                                                    file.string());
  return tokenizer;
}

} // namespace nibble
