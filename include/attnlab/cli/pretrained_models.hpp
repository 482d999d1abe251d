#pragma once
#include <attnlab/cli/compiled.hpp>
#include <attnlab/cli/compiled_family.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/data/tokenizer/load.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/pretrained.hpp>

/// \file
/// The decoders of all families, to look at and to train, and tokenisers. Include it in exactly one source file of a program; attnlab_add_experiment does that.

namespace attnlab {

std::unique_ptr<language_model> open_folder(std::filesystem::path const& path, std::string const& device) {
    use_device(device);
#ifdef ATTNLAB_USE_CUDA
    if (device == "cuda") return open_pretrained<cuda>(path);
#endif
    return open_pretrained<cpu>(path);
}
std::shared_ptr<tokenizer const> open_tokenizer(std::filesystem::path const& path) { return load_tokenizer(path); }

}  // namespace attnlab
