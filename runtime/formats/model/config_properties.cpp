// The table of fields whose usual value changes nothing, and the comparison
// with it.
#include "runtime/formats/model/config_properties.h"

#include "runtime/formats/model/family.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace nibble {

namespace {

// A list of words is a text with a space around each word.
bool isListed(std::string_view list, std::string_view word) {
  if (word.empty())
    return false;
  for (size_t at = list.find(word); at != std::string_view::npos;
       at = list.find(word, at + 1))
    if (list[at - 1] == ' ' && list[at + word.size()] == ' ')
      return true;
  return false;
}

std::vector<std::string> wordsOf(std::string_view key) {
  std::vector<std::string> words(1);
  for (char c : key)
    if (std::isalnum(static_cast<unsigned char>(c)))
      words.back() +=
          static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!words.back().empty())
      words.emplace_back();
  if (words.back().empty())
    words.pop_back();
  return words;
}

// The letters and digits of a value in lower case, so that "RMSNorm" and
// "rms_norm" are equal.
std::string nameOf(std::string_view value) {
  std::string name;
  for (const std::string &word : wordsOf(value))
    name += word;
  return name;
}

// Matches keys that have a word from each list of `needs`. All other words must
// come from `needs`, `others` or a list of common words.
struct Keys {
  std::array<std::string_view, 2> needs; // an empty list requires nothing
  std::string_view others;

  bool have(const std::vector<std::string> &words,
            std::string_view common) const {
    auto hasOneOf = [&](std::string_view list) {
      return list.empty() || std::any_of(words.begin(), words.end(),
                                         [&](const std::string &word) {
                                           return isListed(list, word);
                                         });
    };
    auto belongs = [&](const std::string &word) {
      return isListed(needs[0], word) || isListed(needs[1], word) ||
             isListed(others, word) || isListed(common, word);
    };
    return hasOneOf(needs[0]) && hasOneOf(needs[1]) &&
           std::all_of(words.begin(), words.end(), belongs);
  }
};

constexpr std::string_view kSwitchWords =
    " use is has with do enable enabled apply add config model self ";
constexpr std::string_view kKindWords =
    " type kind class name style function fn ";

// Properties of every supported model. The value true agrees.
constexpr std::array kSwitches = {
    Keys{
        {" rope rotary ", ""},
        " position positional pos embedding embeddings emb embed encoding pe "},
    Keys{{" neox ", ""}, " rope rotary style "},
    Keys{{" causal ", ""}, " mask masking attention attn decoder lm "},
    Keys{{" rms rmsnorm ", ""}, " norm norms normalization layer layernorm "},
    Keys{{" pre prenorm final before first ",
          " norm norms layernorm prenorm normalization "},
         " layer rms rmsnorm "},
    Keys{{" affine ", " norm layernorm rmsnorm "}, " elementwise layer rms "},
    Keys{{" glu swiglu ", ""}, " mlp ffn act activation hidden gated "},
    Keys{{" gated ", " mlp ffn "}, " feed forward "},
    Keys{{" scale ", " weights scores "}, " attn attention "},
};

// "LlamaRMSNorm": the norm of a family, named by its class.
bool isNormOfFamily(const std::string &name) {
  std::span<const ModelFamily> families = modelFamilies();
  return std::any_of(families.begin(), families.end(),
                     [&](const ModelFamily &family) {
                       return name == nameOf(family.modelType) + "rmsnorm";
                     });
}

constexpr Keys kQkNorm = {{" qk q ", " norm norms layernorm rmsnorm "},
                          " k and query key rms layer "};

// Kinds by the names that nameOf returns.
struct Kinds {
  Keys keys;
  std::string_view values;
};
constexpr std::array kKinds = {
    Kinds{{{" position positional pos pe ",
            " embedding embeddings emb encoding encodings type "},
           ""},
          " rope rotary ropeembedding rotaryemb rotaryembedding "
          "rotaryembeddings rotarypositionembedding "},
    Kinds{{{" norm normalization layernorm ", ""}, " layer "}, " rms rmsnorm "},
    Kinds{{{" activation act actfn ", ""}, " hidden mlp ffn "},
          " silu swish swiglu siluglu siluandmul "},
    Kinds{{{" rope ", " type "}, " scaling "}, " default "},
};

// The rule for keys about attention refuses kinds of attention, unless they say
// how it is computed ("flash").
constexpr Kinds kAttention = {
    {{" attention attn ", " type kind mode mechanism variant "}, ""},
    " full fullattention causal softmax default standard dotproduct mha gqa "
    "mqa multihead groupedquery "};

// Numbers that multiply something, or a fraction of something. The value 1
// agrees.
constexpr Keys kFactor = {
    {" multiplier scale scaling factor pct percent percentage fraction ", ""},
    ""};
// Here 1 does change something: these replace 1 / sqrt(head_dim), or are
// counts.
constexpr std::string_view kNoFactor =
    " attention attn softmax query qk depth width window expert experts size "
    "num count init initializer base ";

} // namespace

Agreement agreementOf(std::string_view key, const Json &value, bool hasQkNorm) {
  if (value.is_null() || value == "")
    return Agreement::kNone;
  std::vector<std::string> words = wordsOf(key);
  auto agreesIf = [](bool agrees) {
    return agrees ? Agreement::kAgrees : Agreement::kDiffers;
  };
  bool isOn = value == true || value == 1;
  bool isOff = value == false || value == 0;
  if (kQkNorm.have(words, kSwitchWords) && !value.is_structured())
    return agreesIf(hasQkNorm ? isOn : isOff);
  if (isOn || isOff)
    for (const Keys &keys : kSwitches)
      if (keys.have(words, kSwitchWords))
        return agreesIf(isOn);
  std::string name =
      value.is_string() ? nameOf(value.get_ref<const std::string &>()) : "";
  if (value.is_string() ||
      (isOff && !words.empty() && isListed(kKindWords, words.back())))
    for (const Kinds &kinds : kKinds)
      if (kinds.keys.have(words, kKindWords))
        return agreesIf(
            isListed(kinds.values, name) ||
            (isListed(kinds.values, "rmsnorm") && isNormOfFamily(name)));
  if (kAttention.keys.have(words, kKindWords) &&
      isListed(kAttention.values, name))
    return Agreement::kAgrees;
  auto isOneOf = [&](std::string_view list) {
    return std::any_of(
        words.begin(), words.end(),
        [&](const std::string &word) { return isListed(list, word); });
  };
  if (value.is_number() && value == 1 && isOneOf(kFactor.needs[0]) &&
      !isOneOf(kNoFactor))
    return Agreement::kAgrees;
  return Agreement::kNone;
}

} // namespace nibble
