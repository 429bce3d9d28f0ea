// Compiles a tokenizer's regular expression and finds all its matches.
#include "runtime/formats/tokenizer/pattern.h"

#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>
#include <oniguruma.h>

#include <algorithm>
#include <chrono>

namespace nibble {
namespace {

// The limit of backtracking steps in one search. Expressions in use need a few
// per byte of the match.
constexpr unsigned long kRetryLimit = 4 * Pattern::kLongestMatch;
constexpr unsigned kStackLimit = 16 * Pattern::kLongestMatch;
// The usual speed is about 10 MB/s.
constexpr double kSecondsAtMost = 10;
constexpr double kSecondsPerByte = 1e-5;

const OnigUChar *toOnig(const char *text) {
  return reinterpret_cast<const OnigUChar *>(text);
}

// One pass over one text.
class Search {
public:
  Search(regex_t *regex, std::string_view text)
      : regex_(regex), text_(text), match_(onig_region_new()) {
    parameters_ = onig_new_match_param();
    onig_initialize_match_param(parameters_);
    onig_set_retry_limit_in_match_of_match_param(parameters_, kRetryLimit);
    onig_set_retry_limit_in_search_of_match_param(parameters_, kRetryLimit);
    onig_set_match_stack_limit_size_of_match_param(parameters_, kStackLimit);
  }
  ~Search() {
    onig_region_free(match_, 1);
    onig_free_match_param(parameters_);
  }
  Search(const Search &) = delete;
  Search &operator=(const Search &) = delete;

  // The first match that starts at or after `from`, or nullopt.
  Result<std::optional<Piece>> next(size_t from) {
    // The engine sees the text up to `end` only, so that it does not scan a
    // long text again and again. A match that starts before `last` and reaches
    // `end` is too long.
    for (size_t start = from; start <= text_.size();) {
      size_t last = boundary(start + Pattern::kLongestMatch);
      size_t end = boundary(last + Pattern::kLongestMatch);
      int at = onig_search_with_param(
          regex_, toOnig(text_.data()), toOnig(text_.data() + end),
          toOnig(text_.data() + start), toOnig(text_.data() + end), match_,
          ONIG_OPTION_NONE, parameters_);
      if (at < 0 && at != ONIG_MISMATCH)
        return Status::badInput(
            fmt::format("cannot split text near byte {}: {}; the text is "
                        "pathological for this "
                        "tokenizer's expression; shorten it",
                        start, names::expressionError(at)));
      if (at >= 0 && (end == text_.size() || static_cast<size_t>(at) < last)) {
        Piece piece{static_cast<size_t>(match_->beg[0]),
                    static_cast<size_t>(match_->end[0]), true};
        if (piece.end - piece.begin > Pattern::kLongestMatch)
          return Status::badInput(
              fmt::format("word at byte {} is too long: more than {} bytes "
                          "without a boundary; break "
                          "the text up",
                          piece.begin, Pattern::kLongestMatch));
        return std::optional(piece);
      }
      // A match in the second half may have seen too little of the text behind
      // it. It is searched again from there.
      if (end == text_.size())
        break;
      start = last;
    }
    return std::optional<Piece>();
  }

private:
  // The start of the character that contains `offset`, or the end of the text.
  size_t boundary(size_t offset) const {
    if (offset >= text_.size())
      return text_.size();
    while (offset > 0 && (text_[offset] & 0xC0) == 0x80)
      --offset;
    return offset;
  }

  regex_t *regex_;
  std::string_view text_;
  OnigRegion *match_;
  OnigMatchParam *parameters_;
};

} // namespace

Result<Pattern> Pattern::compile(std::string_view expression) {
  std::string problem;
  names::Expression regex =
      names::compileExpression(expression, names::Syntax::kRuby, problem);
  if (!regex)
    return Status::badInput(problem);
  return Pattern(std::move(regex));
}

Result<std::vector<Piece>> Pattern::findAll(std::string_view text) const {
  using Clock = std::chrono::steady_clock;
  Clock::time_point deadline =
      Clock::now() +
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
          kSecondsAtMost + kSecondsPerByte * text.size()));
  std::vector<Piece> pieces;
  Search search(static_cast<regex_t *>(regex_.get()), text);
  size_t done = 0;
  for (size_t from = 0; from <= text.size();) {
    NIBBLE_ASSIGN(std::optional<Piece> match, search.next(from));
    if (!match)
      break;
    if (match->begin > done)
      pieces.push_back({done, match->begin, false});
    bool isEmpty = match->begin == match->end;
    // An empty match directly after another match does not count.
    if (!isEmpty || pieces.empty() || !pieces.back().isMatch ||
        pieces.back().end != match->begin)
      pieces.push_back(*match);
    done = match->end;
    from = done;
    if (isEmpty)
      from += done < text.size() ? stepUtf8(text.substr(done)).bytes : 1;
    if (Clock::now() > deadline)
      return Status::badInput(fmt::format(
          "cannot split text of {} bytes: no end after {:.0f} s; it is "
          "pathological for "
          "this tokenizer's expression; shorten it",
          text.size(), kSecondsAtMost + kSecondsPerByte * text.size()));
  }
  if (done < text.size())
    pieces.push_back({done, text.size(), false});
  return pieces;
}

} // namespace nibble
