#pragma once
#include <string>

#include <attnlab/cli/options.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/kernels/cuda/declared.hpp>

/// \file
/// `--device`: where a command's model runs.

namespace attnlab {

inline void declare_device(option_table& o, std::string& device) {
    o.add("device", device, "where the model runs; cuda needs a build with CUDA and a GPU", one_of{{"cpu", "cuda"}});
}

/// Makes ready what `--device` names; for `cuda` that is the GPU, and the memory of all buffers made from now on.
/// \throws usage_error in a program built without CUDA, error where no GPU is found
inline void use_device(std::string const& device) {
    if (device == "cpu") return;
#ifdef ATTNLAB_USE_CUDA
    use_gpu();
#else
    fail<usage_error>("device: 'cuda': expected cpu: this program was built without CUDA (preset cuda)");
#endif
}

/// FLOP/s of bfloat16 products that a device can make at most; 0 where that is not known, as of a cpu.
inline double peak_of([[maybe_unused]] std::string const& device) {
#ifdef ATTNLAB_USE_CUDA
    if (device == "cuda") return use_gpu().peak;
#endif
    return 0;
}

/// What a device adds to the versions that go with figures.
inline json device_facts([[maybe_unused]] std::string const& device) {
    json facts = json::object();
#ifdef ATTNLAB_USE_CUDA
    if (device == "cuda") {
        auto const& gpu = use_gpu();
        facts["GPU"] = gpu.name + ", sm_" + std::to_string(gpu.architecture);
        facts["CUDA"] = "toolkit " + gpu.toolkit + ", driver " + gpu.driver;
    }
#endif
    return facts;
}

}  // namespace attnlab
