#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// Who carries gradients between ranks that train on GPUs: NCCL where each rank has a GPU of its own, which it insists on, else MPI, out of
/// memory that the host sees too.

namespace attnlab {

/// What a GPU is known by (gpu_facts::id).
using gpu_id = std::array<std::uint8_t, 16>;

struct gradient_carrier {
    bool by_nccl = false;
    std::string text;   ///< "NCCL", or "MPI" and why
};

/// The same for all ranks. \param gpus  of each rank; none where gradients lie on the host
inline gradient_carrier choose_carrier(std::span<gpu_id const> gpus, bool has_nccl) {
    if (gpus.empty()) return {false, "MPI"};
    if (!has_nccl) return {false, "MPI, for this program was built without NCCL"};
    for (std::size_t i = 0; i < gpus.size(); ++i)
        for (std::size_t j = i + 1; j < gpus.size(); ++j)
            if (gpus[i] == gpus[j]) return {false, text("MPI, for ranks ", i, " and ", j, " share a GPU")};
    return {true, "NCCL"};
}

/// The GPU of each rank, for all.
inline std::vector<gpu_id> gather(ranks& all, gpu_id const& own) {
    std::vector<gpu_id> ids(static_cast<std::size_t>(all.size()));
    std::vector<double> bytes(ids.size() * own.size());
    std::copy(own.begin(), own.end(), bytes.begin() + all.rank() * static_cast<std::ptrdiff_t>(own.size()));
    all.sum(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) ids[i / own.size()][i % own.size()] = static_cast<std::uint8_t>(bytes[i]);
    return ids;
}

}  // namespace attnlab
