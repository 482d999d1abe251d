#pragma once
#include <sentencepiece_processor.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// A tokenizer.model, run by Google's library. Unlike a tokenizer.json of the same vocabulary it finds no control tokens in a
/// text ("<s>" is three characters), and decodes them to nothing.

namespace attnlab::tokenizers {

class sentencepiece_model final : public tokenizer {
public:
    /// \param add_bos, add_eos what encode(..., special) puts around a text, where the model has it
    /// \throws error naming the file
    sentencepiece_model(std::filesystem::path const& path, bool add_bos, bool add_eos) : path_(path.string()) {
        auto const status = processor_.LoadFromSerializedProto(read_text(path));
        auto const why = first_line(status.ToString());
        bool const is_for_users = why.find(".cc(") == why.npos;  // else it is where the library gave up
        require(status.ok(), path_, ": expected a SentencePiece model", is_for_users ? ": " + why : "");
        if (add_bos && bos()) before_.push_back(*bos());
        if (add_eos && eos()) after_.push_back(*eos());
    }

    std::vector<token> encode(std::string_view text, bool special) const override {
        std::string valid;
        std::vector<int> ids;
        auto const status = processor_.Encode(valid_utf8(text, valid), &ids);
        require(status.ok(), path_, ": a text of ", text.size(), " bytes: ", first_line(status.ToString()));
        std::vector<token> out;
        if (special) out = before_;
        out.insert(out.end(), ids.begin(), ids.end());
        if (special) out.insert(out.end(), after_.begin(), after_.end());
        return out;
    }

    std::string decode(std::span<token const> tokens, bool) const override {
        for (std::size_t i = 0; i < tokens.size(); ++i)
            require(has(tokens[i]), "token ", tokens[i], " at position ", i, ": expected one of the tokeniser's, 0 to ",
                    size() - 1);
        std::string out;
        auto const status = processor_.Decode(std::vector<int>(tokens.begin(), tokens.end()), &out);
        require(status.ok(), path_, ": ", tokens.size(), " tokens: ", first_line(status.ToString()));
        return out;
    }

    std::string piece(token id) const override {
        require(has(id), "token ", id, ": expected one of the tokeniser's, 0 to ", size() - 1);
        return processor_.IdToPiece(id);
    }

    std::optional<token> find(std::string_view piece) const override {
        auto const id = processor_.PieceToId(piece);  // the unknown token for what is not there
        return has(id) && processor_.IdToPiece(id) == piece ? std::optional<token>(id) : std::nullopt;
    }

    index_t size() const override { return processor_.GetPieceSize(); }
    std::optional<token> bos() const override { return there(processor_.bos_id()); }
    std::optional<token> eos() const override { return there(processor_.eos_id()); }

private:
    bool has(token id) const { return 0 <= id && id < processor_.GetPieceSize(); }
    std::optional<token> there(int id) const { return has(id) ? std::optional<token>(id) : std::nullopt; }
    static std::string first_line(std::string const& words) { return words.substr(0, words.find('\n')); }

    std::string path_;
    sentencepiece::SentencePieceProcessor processor_;
    std::vector<token> before_, after_;
};

}  // namespace attnlab::tokenizers
