// Reads a decoder and applies its steps to tokens, all at once or one by one.
#include "runtime/formats/tokenizer/token_decoder.h"

#include "runtime/formats/io.h"
#include "runtime/formats/tokenizer/tokenizer_fields.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace nibble {
namespace {

// "<0x0A>" stands for a byte, as in the reference implementation: two
// hexadecimal digits in either case.
std::optional<char> byteOf(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>')
    return std::nullopt;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    if (!std::isxdigit(static_cast<unsigned char>(c)))
      return std::nullopt;
    value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return static_cast<char>(value);
}

// The characters of a run of bytes. If the run is not UTF-8, each of its bytes
// becomes U+FFFD.
std::string textOfRun(std::string run) {
  if (isUtf8(run))
    return run;
  std::string out;
  for (size_t i = 0; i < run.size(); ++i)
    out += kReplacementCharacter;
  return out;
}

// Applies the replacement. A text that the expression cannot process in bounded
// work stays as it is.
std::string replaced(const TextReplacement &replacement,
                     const std::string &text) {
  Result<TextReplacement::Replaced> result = replacement.apply(text);
  return result.isOk() ? std::move(result->text) : text;
}

// Counts how often `part` occurs at the front (or at the end) of `text`, up to
// `most`.
size_t countAtFront(std::string_view text, std::string_view part, size_t most) {
  size_t count = 0;
  for (; count < most && text.starts_with(part); ++count)
    text.remove_prefix(part.size());
  return count;
}
size_t countAtEnd(std::string_view text, std::string_view part, size_t most) {
  size_t count = 0;
  for (; count < most && text.ends_with(part); ++count)
    text.remove_suffix(part.size());
  return count;
}

// The replacement becomes a space. In the first token it is dropped if the
// pre-tokenizer added one before the text.
std::string metaspaceText(const Metaspace &metaspace, std::string_view token,
                          bool isFirst) {
  bool drops = isFirst && metaspace.prepend != Metaspace::Prepend::kNever;
  std::string out;
  for (size_t done = 0; done < token.size();) {
    size_t at = std::min(token.find(metaspace.replacement, done), token.size());
    out.append(token, done, at - done);
    if (at < token.size() && !drops)
      out += ' ';
    done = at < token.size() ? at + metaspace.replacement.size() : at;
  }
  return out;
}

Result<size_t> countField(const Json &value, const char *key) {
  auto it = value.find(key);
  if (it == value.end() || !it->is_number_integer() || *it < 0 || *it > 1024)
    return fields::wrong(key, "an integer from 0 to 1024");
  return it->get<size_t>();
}

} // namespace

Result<TokenDecoder::Kind> TokenDecoder::parse(const Json &value) {
  NIBBLE_ASSIGN(std::string type, fields::type(value));
  if (type == "Replace") {
    NIBBLE_ASSIGN(TextReplacement replacement, TextReplacement::create(value));
    return Kind(std::move(replacement));
  }
  if (type == "ByteFallback")
    return Kind(ByteFallback{});
  if (type == "Fuse")
    return Kind(Fuse{});
  if (type == "Metaspace") {
    NIBBLE_ASSIGN(Metaspace metaspace, Metaspace::create(value));
    return Kind(std::move(metaspace));
  }
  if (type == "Strip") {
    Strip strip;
    NIBBLE_ASSIGN(strip.content, fields::text(value, "content"));
    if (strip.content.empty() ||
        stepUtf8(strip.content).bytes != static_cast<int>(strip.content.size()))
      return Status::badInput(
          fmt::format("Strip has content '{}': want one character",
                      printable(strip.content)));
    NIBBLE_ASSIGN(strip.start, countField(value, "start"));
    NIBBLE_ASSIGN(strip.stop, countField(value, "stop"));
    return Kind(std::move(strip));
  }
  return Status::badInput(fmt::format(
      "'{}' is not supported: known are ByteLevel alone, Sequence, Replace, "
      "ByteFallback, Fuse, Strip, Metaspace",
      printable(type)));
}

Result<TokenDecoder> TokenDecoder::create(const Json &value) {
  if (value.is_null())
    return Status::badInput("is null, which would put a space between all "
                            "tokens; give the decoder of the tokenizer");
  TokenDecoder decoder;
  NIBBLE_ASSIGN(std::vector<const Json *> parts,
                fields::parts(value, "decoders"));
  if (!parts.empty() &&
      std::all_of(parts.begin(), parts.end(), [](const Json *part) {
        return part->is_object() && part->value("type", Json()) == "ByteLevel";
      })) {
    decoder.isByteLevel_ = true;
    return decoder;
  }
  bool isFused = false;
  for (const Json *part : parts) {
    NIBBLE_ASSIGN(Kind kind, parse(*part));
    bool fuses = std::holds_alternative<Fuse>(kind);
    decoder.steps_.push_back({std::move(kind), isFused});
    isFused |= fuses;
  }
  return decoder;
}

// Applies one step to tokens that have arrived, each of them whole.
TokenDecoder::Tokens TokenDecoder::apply(const Kind &kind, StepState &state,
                                         Tokens tokens, bool isEnd) {
  if (std::holds_alternative<ByteFallback>(kind)) {
    Tokens out;
    auto endRun = [&] {
      if (!state.held.empty())
        out.push_back(textOfRun(std::exchange(state.held, {})));
    };
    for (std::string &token : tokens) {
      if (std::optional<char> byte = byteOf(token)) {
        state.held += *byte;
        continue;
      }
      endRun();
      out.push_back(std::move(token));
    }
    if (isEnd)
      endRun();
    return out;
  }
  for (std::string &token : tokens) {
    if (auto *replacement = std::get_if<TextReplacement>(&kind)) {
      token = replaced(*replacement, token);
    } else if (auto *metaspace = std::get_if<Metaspace>(&kind)) {
      token =
          metaspaceText(*metaspace, token, !std::exchange(state.begun, true));
    } else if (auto *strip = std::get_if<Strip>(&kind)) {
      size_t size = strip->content.size();
      token.erase(0, size * countAtFront(token, strip->content, strip->start));
      token.resize(token.size() -
                   size * countAtEnd(token, strip->content, strip->stop));
    }
  }
  return tokens;
}

// Applies one step to a part of the single token that Fuse makes.
std::string TokenDecoder::applyFused(const Kind &kind, StepState &state,
                                     const std::string &text, bool isEnd) {
  if (auto *metaspace = std::get_if<Metaspace>(&kind))
    return metaspaceText(*metaspace, text, /*isFirst=*/true);
  if (std::holds_alternative<Fuse>(kind))
    return text;
  std::string all = std::exchange(state.held, {}) + text;
  if (auto *strip = std::get_if<Strip>(&kind)) {
    size_t size = strip->content.size();
    if (!state.begun) {
      size_t count =
          countAtFront(all, strip->content, strip->start - state.count);
      state.count += count;
      all.erase(0, size * count);
      state.begun = state.count == strip->start || !all.empty();
    }
    // Hold back what may be the end.
    size_t kept =
        all.size() - size * countAtEnd(all, strip->content, strip->stop);
    if (!isEnd)
      state.held = all.substr(kept);
    return all.substr(0, kept);
  }
  if (!isEnd) {
    state.held = std::move(all);
    return {};
  }
  if (auto *replacement = std::get_if<TextReplacement>(&kind))
    return replaced(*replacement, all);
  std::optional<char> byte = byteOf(all); // ByteFallback
  return byte ? textOfRun(std::string(1, *byte)) : all;
}

static std::string joined(const std::vector<std::string> &tokens) {
  std::string text;
  for (const std::string &token : tokens)
    text += token;
  return text;
}

TokenDecoder::Tokens TokenDecoder::run(State &state, Tokens tokens,
                                       bool isEnd) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step &step = steps_[i];
    if (step.isFused)
      tokens = {applyFused(step.kind, state[i], joined(tokens), isEnd)};
    else
      tokens = apply(step.kind, state[i], std::move(tokens), isEnd);
  }
  return tokens;
}

std::string TokenDecoder::push(State &state, std::string_view token) const {
  return joined(run(state, {std::string(token)}, /*isEnd=*/false));
}

std::string TokenDecoder::finish(State &state) const {
  std::string text = joined(run(state, {}, /*isEnd=*/true));
  state = begin();
  return text;
}

} // namespace nibble
