#pragma once
#include <fstream>
#include <string>

#include <attnlab/cli/devices.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/train/checkpoint.hpp>

#ifdef ATTNLAB_USE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

/// \file
/// What a figure was measured on.

namespace attnlab {

/// The processor as Linux names it.
inline std::string cpu_name() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("model name"))
            if (auto const colon = line.find(": "); colon != line.npos) return line.substr(colon + 2);
    return "unknown processor";
}

/// Of attnlab, the compiler and the libraries under it.
inline json versions() {
    json v{{"attnlab", std::string(version)}, {"compiler", __VERSION__}, {"SIMD", std::to_string(register_width) + " floats a register"}};
#ifdef ATTNLAB_USE_ONEDNN
    auto const* d = dnnl_version();
    v["GEMM"] = "oneDNN " + std::to_string(d->major) + "." + std::to_string(d->minor) + "." + std::to_string(d->patch);
#else
    v["GEMM"] = "CBLAS";
#endif
    return v;
}

/// What a run was made on.
inline json machine_facts(std::string const& device) {
    json m = versions();
    m.update(device_facts(device));
    m["processor"] = cpu_name();
    return m;
}

}  // namespace attnlab
