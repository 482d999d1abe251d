#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/tfloat32.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/gelu_form.hpp>
#include <attnlab/kernels/rotation_angles.hpp>
#include <attnlab/kernels/optimizer_rules.hpp>

/// \file
/// All that a model on a GPU calls, said and not defined: what C++ files see of it. nvcc compiles the bodies in files of its own
/// (kernels/cuda/kernels.hpp), and the linker joins them. Signatures and meanings are those of kernels/cpu. A kernel is started and not waited
/// for, unless it says so.

namespace attnlab {

// ---- Attention, compiled for each policy -------------------------------------------------------------------------------------
template <class Policy, cuda_device Device>
void attention_forward(Device, attention_problem<float> const& p, attention_saved<float>& saved, stored_heads<float> y);
template <class Policy, cuda_device Device>
void attention_forward(Device, attention_problem<float> const& p, attention_saved<float>& saved, stored_heads<float> y, attention_statistics<float>& statistics);
template <class Policy, cuda_device Device>
void attention_backward(Device, attention_problem<float> const& p, attention_saved<float> const& saved, stored_heads<float const> y, stored_heads<float const> dy,
                        attention_gradients<float> const& gradients);

// ---- Layers, compiled once ---------------------------------------------------------------------------------------------------
/// Tensor cores multiply bfloat16.
template <cuda_device Device>
constexpr bool has_bfloat16(Device) {
    return true;
}
template <cuda_device Device>
void round(Device, view<float const, 1> from, view<bfloat16, 1> to);
template <cuda_device Device, class X, class T, class Y>
void linear_forward(Device, view<X const, 2> x, view<T const, 2> w, float const* bias, view<Y, 2> y);
template <cuda_device Device>
void linear_gelu_forward(Device, view<bfloat16 const, 2> x, view<bfloat16 const, 2> w, float const* bias, view<bfloat16, 2> y, view<bfloat16, 2> post);
template <cuda_device Device, class X, class T>
void linear_forward_onto(Device, view<float const, 2> onto, view<X const, 2> x, view<T const, 2> w, float const* bias, view<float, 2> y);
template <cuda_device Device, class Y, class X, class T, class D>
void linear_backward(Device, view<Y const, 2> dy, view<X const, 2> x, view<T const, 2> w, D* dx, view<float, 2> dw, float* dbias);
template <cuda_device Device, class Y, class X, class T, class D>
void linear_backward_onto(Device, view<Y const, 2> dy, view<X const, 2> x, view<T const, 2> w, D* dx, view<float, 2> dw, float* dbias);
template <cuda_device Device>
void layer_norm_forward(Device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<float, 2> y, float* mean, float* rstd);
template <cuda_device Device>
void layer_norm_forward(Device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<bfloat16, 2> y, float* mean, float* rstd,
                        float* whole);
template <cuda_device Device>
void layer_norm_backward(Device, view<float const, 2> dy, view<float const, 2> x, float const* weight, float const* mean, float const* rstd,
                         view<float, 2> dx, float* dweight, float* dbias, bfloat16* rounded_dx = nullptr, float* dx_sums = nullptr);
template <cuda_device Device>
void layer_norm_backward(Device, view<bfloat16 const, 2> dy, view<float const, 2> x, float const* weight, float const* mean, float const* rstd,
                         view<float, 2> dx, float* dweight, float* dbias, bfloat16* rounded_dx = nullptr, float* dx_sums = nullptr);
template <cuda_device Device>
void gelu_backward(Device, gelu_form form, view<float const, 1> x, view<float, 1> d);
template <cuda_device Device>
void gelu_backward(Device, gelu_form form, view<bfloat16 const, 2> x, view<bfloat16, 2> d, float* dbias);
template <cuda_device Device>
void gelu_forward(Device, gelu_form form, view<float const, 1> x, view<float, 1> y, float* slope);
template <cuda_device Device>
void gelu_forward(Device, gelu_form form, view<bfloat16 const, 1> x, view<bfloat16, 1> y, bfloat16* slope);
template <cuda_device Device>
void multiply_by(Device, view<float const, 1> x, view<float, 1> y);
template <cuda_device Device>
void multiply_by(Device, view<bfloat16 const, 1> x, view<bfloat16, 1> y);
template <cuda_device Device>
void add(Device, view<float const, 1> x, view<float, 1> y);
/// \throws error for a token outside the vocabulary, or T > P
template <cuda_device Device>
void embedding_forward(Device, view<std::int32_t const, 2> tokens, view<float const, 2> wte, view<float const, 2> wpe, view<float, 3> y);
template <cuda_device Device>
void embedding_backward(Device, view<std::int32_t const, 2> tokens, view<float const, 3> dy, view<float, 2> dwte, view<float, 2> dwpe);
template <cuda_device Device>
void cross_entropy(Device, view<float, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses);
template <cuda_device Device>
void cross_entropy(Device, view<bfloat16, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses);

template <cuda_device Device>
void silu_forward(Device, view<float const, 1> x, view<float, 1> y, float* slope);
template <cuda_device Device>
void relu_forward(Device, view<float const, 1> x, view<float, 1> y, float* slope);
template <cuda_device Device>
void clip_forward(Device, float most, view<float const, 1> x, view<float, 1> y, float* slope);
template <cuda_device Device>
void soft_cap_forward(Device, float cap, view<float const, 1> x, view<float, 1> y, float* slope);
template <cuda_device Device>
void multiply_by(Device, float by, view<float, 1> x);
template <cuda_device Device>
void clamped_gate_forward(Device, float most, float steepness, view<float const, 1> both, view<float, 1> y);
template <cuda_device Device>
void multiply_rows_by(Device, float const* by, view<float, 2> x);
template <cuda_device Device, class T>
void take_from_host(Device, T const* from, view<float, 1> to);
template <cuda_device Device>
void copy(Device, view<float const, 1> x, view<float, 1> y);
template <cuda_device Device>
void copy_heads(Device, heads<float const> from, heads<float> to, index_t B, index_t H, index_t T, index_t D, float by = 1);
template <cuda_device Device>
void rms_norm_forward(Device, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> y);
template <cuda_device Device>
void rms_norm_backward(Device, view<float const, 2> dy, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> dx,
                       float* dweight);
template <cuda_device Device>
void rotate_heads(Device, heads<float> x, index_t B, index_t H, index_t T, rotation_angles<float> const& by);
template <cuda_device Device, class T>
void gemm(Device, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, float alpha, T const* a, index_t lda, T const* b, index_t ldb,
          float beta, float* c, index_t ldc);

// ---- Whole arrays: the training loop -----------------------------------------------------------------------------------------
/// x = 0
template <cuda_device Device>
void zero(Device, view<float, 1> x);
/// sum_i x_i^2, added up in double, in the same order each time. Waits for its result.
template <cuda_device Device>
double sum_of_squares(Device, view<float const, 1> x);
/// A rule over each of the parameters.
template <cuda_device Device>
void adamw_step(Device, std::span<parameter_update<adamw_rule<float>, float> const> updates);
template <cuda_device Device>
void momentum_step(Device, std::span<parameter_update<momentum_rule<float>, float> const> updates);

// ---- The GPU -----------------------------------------------------------------------------------------------------------------
/// What a program runs on.
struct gpu_facts {
    std::string name;                ///< "NVIDIA H100 80GB HBM3"
    int architecture = 0;            ///< 90 of sm_90
    int multiprocessors = 0;
    std::size_t memory = 0;          ///< bytes
    double peak = 0;                 ///< FLOP/s of dense bfloat16 products at the highest clock
    std::string driver, toolkit;     ///< the CUDA each is of: "13.0"
    std::array<std::uint8_t, 16> id{};   ///< its UUID: no other GPU, on whatever machine, has it
};

/// Takes the first GPU that CUDA shows (CUDA_VISIBLE_DEVICES chooses), and has buffers made from now on in memory that it and the host see.
/// \throws error, one line, where there is none
gpu_facts const& use_gpu();
void synchronize(cuda);

// ---- The GPUs of several processes -------------------------------------------------------------------------------------------
/// GPUs of several processes, one each, that sum numbers in their memory, by NCCL. Defined where CMake finds NCCL (kernels/cuda/nccl.hpp).
class gpu_group {
public:
    /// What processes find one another by: one of them makes it, and gives it to the others.
    using name = std::array<std::byte, 128>;
    static name new_name();
    /// "2.28.9"
    static std::string nccl_version();

    /// With the GPU of `use_gpu`; waits for the others. \throws error naming the call of NCCL
    gpu_group(name const&, int rank, int size);
    /// During an exception the others are not waited for.
    ~gpu_group();
    /// Begins to replace the numbers by their sum over all: after the kernels that were started so far, beside those that are started next.
    void begin_sum(std::span<float> x);
    void begin_sum(std::span<double> x);
    /// Waits for what was begun. \throws error where a GPU was lost
    void finish_sums();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace attnlab
