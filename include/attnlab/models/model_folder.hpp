#pragma once
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>

/// \file
/// The weights of a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names. All files
/// are mapped and their headers checked at once; values are read when a tensor's are asked for.

namespace attnlab {

/// The tensors of a folder by name, whichever file each lies in. Remembers which were asked for.
class model_folder {
public:
    /// \param folder  or a .safetensors alone
    /// \throws error naming the file: there are no weights, a header is broken, the index names a file or a tensor that is not
    /// there
    explicit model_folder(std::filesystem::path folder) : path_(std::move(folder)) {
        if (path_.extension() == ".safetensors") {
            add(safetensors_reader(path_));
            return;
        }
        require(std::filesystem::is_directory(path_), path_.string(),
                ": expected a folder with config.json and model.safetensors");
        auto const whole = path_ / "model.safetensors", index = path_ / "model.safetensors.index.json";
        if (std::filesystem::exists(whole)) {
            add(safetensors_reader(whole));
        } else if (std::filesystem::exists(index)) {
            source_ = index;
            add_shards(index);
        } else {
            fail(path_.string(), ": expected model.safetensors or model.safetensors.index.json", others());
        }
    }

    std::filesystem::path const& path() const { return path_; }
    /// The one file, or the index.
    std::filesystem::path const& source() const { return source_; }
    std::size_t files() const { return files_; }

    bool has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }

    /// The tensor as it is stored. \throws error naming the file and the tensor when there is none of that name
    stored_tensor tensor(std::string_view name) const {
        auto const at = tensors_.find(name);
        require(at != tensors_.end(), source_.string(), ": tensor '", name,
                "' is missing: expected the tensors of the model in config.json");
        at->second.asked = true;
        return at->second.tensor;
    }
    /// The tensor, which must be of this shape. \throws error naming file, tensor, the shape found and the one expected
    stored_tensor tensor(std::string_view name, std::vector<index_t> const& shape) const {
        auto out = tensor(name);
        require(out.shape == shape, out.where(), ": shape ", shape_text(out.shape), ": expected ", shape_text(shape),
                " from config.json");
        return out;
    }

    /// Whether a tensor is stored as MXFP4: NAME_blocks and NAME_scales in place of NAME.
    bool has_mxfp4(std::string_view name) const { return has(text(name, "_blocks")); }
    /// A tensor stored so; its last axis is cut into blocks of 32 values, 16 bytes and a scale each. \throws error as `tensor`
    stored_tensor mxfp4(std::string_view name, std::vector<index_t> const& shape) const {
        require(shape.back() % 32 == 0, source_.string(), ": tensor '", name, "': shape ", shape_text(shape),
                ": expected blocks of 32 values for MXFP4");
        auto blocks = shape;
        blocks.back() /= 32;
        auto const scales = tensor(text(name, "_scales"), blocks);
        blocks.push_back(16);
        auto out = tensor(text(name, "_blocks"), blocks);
        for (stored_tensor const& t : {scales, out})
            require(t.type == dtype::u8, t.where(), ": holds ", about(t.type).name, ": expected U8");
        out.type = dtype::f4, out.shape = shape, out.scales = std::make_shared<stored_tensor const>(scales);
        return out;
    }

    /// Number of values that were learned: without tables; MXFP4 has two in a byte.
    index_t parameters() const {
        index_t out = 0;
        for (auto const& [name, place] : tensors_) {
            auto const ends = [&, &stored = name](std::string_view ending, std::string_view other) {
                return stored.ends_with(ending) && has(stored.substr(0, stored.size() - ending.size()) + std::string(other));
            };
            if (is_table(name) || ends("_scales", "_blocks")) continue;
            out += place.tensor.size() * (ends("_blocks", "_scales") ? 2 : 1);
        }
        return out;
    }

    /// All names, sorted.
    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (auto const& [name, place] : tensors_) out.push_back(name);
        return out;
    }
    /// The names nobody asked for, sorted: what a model that has taken all its weights does not know. Left out are the masks and
    /// tables that older libraries stored beside the weights, which hold nothing that was learned.
    std::vector<std::string> unread() const {
        std::vector<std::string> out;
        for (auto const& [name, place] : tensors_)
            if (!place.asked && !is_table(name)) out.push_back(name);
        return out;
    }

private:
    struct place {
        stored_tensor tensor;
        mutable std::atomic<bool> asked = false;
        explicit place(stored_tensor t) : tensor(std::move(t)) {}
    };

    static bool is_table(std::string_view name) {
        for (std::string_view const ending :
             {".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias"})
            if (name.ends_with(ending)) return true;
        return false;
    }

    void add(safetensors_reader const& file) {
        if (source_.empty()) source_ = file.path();
        ++files_;
        for (auto const& t : file.tensors()) {
            auto const [at, is_new] = tensors_.try_emplace(t.name, t);
            require(is_new, t.where(), ": is in ", at->second.tensor.file->path().filename().string(), " too");
        }
    }

    /// {"metadata": {...}, "weight_map": {tensor: file}}
    void add_shards(std::filesystem::path const& index) {
        std::string const where = index.string();
        auto const root = parse_json<sorted_json>(index);
        auto const map = field<sorted_json>(root, where, "weight_map");
        require(map.is_object() && !map.empty(), where, ": field 'weight_map': expected an object of tensors and their files");
        std::map<std::string, std::vector<std::string>> shards;
        for (auto const& [name, value] : map.items()) {
            auto const file = json_as<std::string>(value, where + ": weight_map", name);
            bool const plain =
                !file.empty() && file != "." && file != ".." && file.find_first_of(std::string_view("/\\\0", 3)) == file.npos;
            require(plain, where, ": tensor '", name, "': file '", file, "': expected the name of a file in the same folder");
            shards[file].push_back(name);
        }
        for (auto const& [file, named] : shards) {
            require(std::filesystem::exists(path_ / file), where, ": tensor '", named.front(), "': file '", file, "' is missing");
            safetensors_reader const shard(path_ / file);
            for (auto const& name : named) require(shard.contains(name), where, ": tensor '", name, "' is not in '", file, "'");
            add(shard);
        }
    }

    /// What else lies there that people take for weights.
    std::string others() const {
        for (auto const* name :
             {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth", "tf_model.h5", "flax_model.msgpack"})
            if (std::filesystem::exists(path_ / name))
                return text("; found ", name, ": convert it with transformers' save_pretrained(..., safe_serialization=True)");
        if (std::filesystem::exists(path_ / "adapter_model.safetensors"))
            return "; found an adapter: merge it into its model first";
        return "";
    }

    std::filesystem::path path_, source_;
    std::size_t files_ = 0;
    std::map<std::string, place, std::less<>> tensors_;
};

}  // namespace attnlab
