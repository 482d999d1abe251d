#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <attnlab/cli/open_folder.hpp>
#include <attnlab/cli/run_settings.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/data/shown_text.hpp>
#include <attnlab/data/text.hpp>
#include <attnlab/data/token_file.hpp>

/// \file
/// The data that a run's settings name, as one source of batches.

namespace attnlab {

/// The file whose tokens, or the last of them, are held out; none of a task that is made up.
inline std::filesystem::path held_out_file(run_settings const& s) {
    return s.task == "text" ? s.text : s.task == "tokens" ? s.data_dir / "val.bin" : std::filesystem::path();
}

/// Batches of Bigram-Backcopy, of a text or of token files; knows what its tokens look like.
class data_source {
public:
    /// \param code_points  the vocabulary a checkpoint was trained with, for a text of characters
    /// \throws error naming the file
    explicit data_source(run_settings const& s, std::optional<std::vector<std::uint32_t>> code_points = {})
        : skipped_(s.skip_first), batches_(open(s, code_points)) {}

    void batch(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        fill(x, y, [&](auto... to) { std::visit([&](auto const& b) { b.batch(i, to...); }, batches_); });
    }
    void evaluation(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        fill(x, y, [&](auto... to) { std::visit([&](auto const& b) { b.evaluation(i, to...); }, batches_); });
    }

    /// Tokens that a model of these data must have; it may have more, as padding.
    index_t vocabulary_size() const { return vocabulary_size_; }
    /// \throws error when a model of `vocab_size` tokens does not know them all
    void expect_known(index_t vocab_size) const {
        require(vocabulary_size_ <= vocab_size, "the data has ", vocabulary_size_, " tokens: expected ", vocab_size, " at most, those of the checkpoint");
    }
    /// The made-up language, or null.
    backcopy const* task() const {
        auto const* b = std::get_if<backcopy_batches>(&batches_);
        return b ? &b->task() : nullptr;
    }
    /// The text's vocabulary, or null.
    text_vocabulary const* vocabulary() const { return vocabulary_ ? &*vocabulary_ : nullptr; }

    /// The tokeniser of a text, or null.
    std::shared_ptr<tokenizer const> const& words() const { return words_; }

    /// What to print for a token: a character, a number, BOS; triggers are t1, t2, ....
    std::string label(token x) const {
        if (auto const* made_up = task()) return x == 0 ? "BOS" : (made_up->is_trigger(x) ? "t" : "") + std::to_string(x);
        if (words_) return x < words_->size() ? shown_text(words_->piece(x)) : std::to_string(x);
        return vocabulary_ ? vocabulary_->shown(x) : std::to_string(x);
    }

private:
    using any_batches = std::variant<backcopy_batches, token_batches>;

    /// `take(x, y)` of sequences that are longer by what is skipped.
    template <class Take>
    void fill(view<token, 2> x, view<token, 2> y, Take take) const {
        if (skipped_ == 0) return take(x, y);
        tensor<token, 2> whole_x({x.shape(0), x.shape(1) + skipped_}), whole_y(whole_x.shape());
        take(*whole_x, *whole_y);
        for (index_t b = 0; b < x.shape(0); ++b) {
            std::copy_n(&whole_x(b, skipped_), x.shape(1), &x(b, 0));
            std::copy_n(&whole_y(b, skipped_), x.shape(1), &y(b, 0));
        }
    }

    any_batches open(run_settings const& s, std::optional<std::vector<std::uint32_t>> const& code_points) {
        vocabulary_size_ = s.model.vocab_size;
        index_t const length = s.model.block_size + skipped_;
        if (s.task == "backcopy")
            return backcopy_batches(backcopy({s.model.vocab_size, s.triggers, length, s.matrix_seed}), s.seed);
        token_batch_settings window{length, s.seed, {}};
        if (s.task == "tokens")
            return token_batches(load_bin(s.data_dir / "train.bin", s.model.vocab_size), load_bin(s.data_dir / "val.bin", s.model.vocab_size),
                                 window);
        if (!s.tokenizer.empty()) {
            words_ = open_tokenizer(s.tokenizer);
            auto corpus = load_text(s.text, *words_);
            vocabulary_size_ = s.init_from.empty() ? words_->size() : std::max(corpus.train.bound(), corpus.validation.bound());   // a trained model need not know what is not there
            return token_batches(corpus.train, corpus.validation, window);
        }
        auto const known = code_points ? std::optional(text_vocabulary(*code_points)) : std::nullopt;
        auto corpus = load_text(s.text, s.level == "bytes" ? text_level::bytes : text_level::characters, known);
        if (!s.family.empty() && corpus.vocabulary.size() > s.model.vocab_size)
            fail<usage_error>("--text: the model came without a tokenizer and has ", s.model.vocab_size, " tokens, the text by ", s.level, " has ", corpus.vocabulary.size(),
                              ": expected --tokenizer FOLDER, or --task tokens");
        vocabulary_size_ = corpus.vocabulary.size();
        window.bos = corpus.vocabulary.bos();
        vocabulary_ = corpus.vocabulary;
        return token_batches(corpus.train, corpus.validation, window);
    }

    index_t skipped_;   ///< tokens at the front of a sequence that the model is not given
    index_t vocabulary_size_ = 0;
    std::optional<text_vocabulary> vocabulary_;
    std::shared_ptr<tokenizer const> words_;
    any_batches batches_;   // last: `open` fills the others
};

}  // namespace attnlab
