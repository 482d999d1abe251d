#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

namespace gpu {

struct uploaded_targets;   ///< the purpose of memory

/// A block has a row, which may be long. `Kept`: the row lies in shared memory between its two passes, so that it is read once; each lane copies
/// what it will look at itself.
template <int N, class T, bool Kept>
struct cross_entropy_row {
    static constexpr int warps = 16;
    T* logits;
    std::int32_t const* targets;
    index_t vocabulary;
    float scale;
    bool backward;
    double* losses;

    constexpr index_t shared_bytes() const {
        return 2 * warps * static_cast<index_t>(sizeof(float)) + 16 + (Kept ? (vocabulary * static_cast<index_t>(sizeof(T)) + 15) / 16 * 16 : 0);
    }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        using numbers = wide<warp, N>;
        T* const row = logits + id * vocabulary;
        std::int32_t const target = targets[id];
        auto const largest = block.template shared<float>(warps), sums = block.template shared<float>(warps), of_target = block.template shared<float>(1);
        auto const kept = block.template shared<T>(Kept ? vocabulary : 0);
        constexpr index_t size = N * warp_size;
        auto const read = [&](auto const& w, index_t at, float fill) {
            index_t const left = vocabulary - at;
            if constexpr (Kept)
                return load<warp, N>(kept.reads(w, at, left < size ? left : size), left, fill);
            else
                return load<warp, N>(row + at, left, fill);
        };

        block.each_warp([&](auto const& w) {
            if (target < 0) return;
            if constexpr (Kept) {
                each_column<N, warps>(w, vocabulary, [&](index_t at) {
                    kept.copy_async(w, warp::each_lane([&](int lane) { return static_cast<int>(at) + N * lane; }), warp::each_lane([&](int lane) -> T const* { return row + at + N * lane; }),
                                    warp::each_lane([&](int lane) { return at + N * lane < vocabulary; }));
                });
                block.commit(w);
                block.wait(w, 0);
            }
            // Each lane has numbers of its own, and then they are put together.
            typename warp::number high(std::numeric_limits<float>::lowest()), sum(0.0f);
            each_column<N, warps>(w, vocabulary, [&](index_t at) {
                numbers const x = read(w, at, -std::numeric_limits<float>::infinity());
                auto const before = high;
                high = max(fold_in_lane<warp, N>(x, [](float a, float b) { return elementary<warp::held>::max(a, b); }), high);
                for (int i = 0; i < warp::held; ++i) {
                    sum.v[i] *= exp_of<warp>(before.v[i] - high.v[i]);
                    for (int k = 0; k < N; ++k) sum.v[i] += exp_of<warp>(x.v[N * i + k] - high.v[i]);
                }
            });
            float const top = gpu::largest<warp>(high);
            for (int i = 0; i < warp::held; ++i) sum.v[i] *= exp_of<warp>(high.v[i] - top);
            float const total = gpu::sum<warp>(sum);
            warp::once([&] {
                *largest.writes(w, w.index(), 1) = top;
                *sums.writes(w, w.index(), 1) = total;
                if (w.index() == 0) *of_target.writes(w, 0, 1) = static_cast<float>(row[target]);
            });
        });
        block.each_warp([&](auto const& w) {
            float top = 0, total = 1;
            if (target >= 0) {   // a lane a warp
                auto const of_lane = warp::each_lane([](int lane) { return lane % warps; });
                auto const tops = largest.get(w, of_lane);
                auto totals = sums.get(w, of_lane);
                top = gpu::largest<warp>(tops);
                for (int i = 0; i < warp::held; ++i) totals.v[i] *= exp_of<warp>(tops.v[i] - top);
                total = warp::template butterfly<warps, 1>(totals, [](float a, float b) { return a + b; }).v[0];
            }
            if (w.index() == 0) {
                double const loss = target < 0 ? 0 : ::log(static_cast<double>(total)) + top - of_target.one(w, 0);
                warp::once([&] { losses[id] = loss; });
            }
            if (!backward) return;
            float const factor = target < 0 ? 0 : scale / total;
            each_column<N, warps>(w, vocabulary, [&](index_t at) {
                numbers x(0.0f);
                if (target >= 0) {
                    x = read(w, at, 0);
                    for (float& e : x.v) e = factor * exp_of<warp>(e - top);
                    if (at <= target && target < at + size)
                        warp::visit([&](int lane, int i) {
                            for (int k = 0; k < N; ++k)
                                if (at + N * lane + k == target) x.v[N * i + k] -= scale;
                        });
                }
                store<warp, N>(row + at, x, vocabulary - at);
            });
        });
    }

private:
    template <class Warp>
    static constexpr float exp_of(float x) {
        return elementary<Warp::held>::exp(x);
    }
};

template <class T, class Device>
void cross_entropy(Device device, view<T, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses) {
    index_t const n = logits.shape(0), vocabulary = logits.shape(1);
    require_ids("cross_entropy: target", targets, n, -1, vocabulary);
    auto const* const there = upload<uploaded_targets>(device, targets, n);
    with_width<16 / sizeof(T)>(vocabulary, {logits.data()}, [&](auto width) {
        if constexpr (width > 1) {
            cross_entropy_row<width, T, true> const kept{logits.data(), there, vocabulary, scale, backward, losses};
            if (kept.shared_bytes() <= most_shared_bytes) return launch(device, kept, n);
        }
        launch(device, cross_entropy_row<width, T, false>{logits.data(), there, vocabulary, scale, backward, losses}, n);
    });
}

}  // namespace gpu

/// losses (N), in nats: log of the sum of e^logits of a row, less the target's logit; 0 where the target is -1. Who reads them on the host
/// calls `synchronize` before.
/// With `backward`, the logits (N,V) are replaced by their gradient, scale (softmax - onehot), 0 where the target is -1; without,
/// they stay. Give scale = 1 / (number of targets) for the gradient of a mean. \throws error for a target outside -1..V-1
/// \param targets  on the host, and free again when this returns
template <cuda_device Device>
void cross_entropy(Device device, view<float, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses) {
    gpu::cross_entropy(device, logits, targets, scale, backward, losses);
}
/// The same of rounded logits, whose gradient is rounded too.
template <cuda_device Device>
void cross_entropy(Device device, view<bfloat16, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses) {
    gpu::cross_entropy(device, logits, targets, scale, backward, losses);
}

}  // namespace attnlab
