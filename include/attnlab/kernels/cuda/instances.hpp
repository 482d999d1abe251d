#pragma once
#ifndef __CUDACC__
#error "attnlab/kernels/cuda/instances.hpp: for nvcc"
#endif
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/kernels.hpp>
#include <attnlab/kernels/cuda/runtime.hpp>

/// \file
/// The kernels that no policy changes, compiled. Include it in exactly one CUDA source file of a program; attnlab_add_experiment in CMake does
/// that.

namespace attnlab {

template void round(cuda, view<float const, 1>, view<bfloat16, 1>);
template void linear_forward(cuda, view<float const, 2>, view<float const, 2>, float const*, view<float, 2>);
template void linear_forward(cuda, view<float const, 2>, view<tfloat32 const, 2>, float const*, view<float, 2>);
template void linear_forward(cuda, view<float const, 2>, view<bfloat16 const, 2>, float const*, view<float, 2>);
template void linear_forward(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float const*, view<float, 2>);
template void linear_forward(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float const*, view<bfloat16, 2>);
template void linear_gelu_forward(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float const*, view<bfloat16, 2>, view<bfloat16, 2>);
template void linear_forward_onto(cuda, view<float const, 2>, view<float const, 2>, view<float const, 2>, float const*, view<float, 2>);
template void linear_forward_onto(cuda, view<float const, 2>, view<float const, 2>, view<tfloat32 const, 2>, float const*, view<float, 2>);
template void linear_forward_onto(cuda, view<float const, 2>, view<float const, 2>, view<bfloat16 const, 2>, float const*, view<float, 2>);
template void linear_forward_onto(cuda, view<float const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float const*, view<float, 2>);
template void linear_backward(cuda, view<float const, 2>, view<float const, 2>, view<float const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<float const, 2>, view<float const, 2>, view<tfloat32 const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<float const, 2>, view<float const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<float const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<float const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, bfloat16*, view<float, 2>, float*);
template void linear_backward(cuda, view<bfloat16 const, 2>, view<float const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, bfloat16*, view<float, 2>, float*);
template void linear_backward_onto(cuda, view<float const, 2>, view<float const, 2>, view<float const, 2>, float*, view<float, 2>, float*);
template void linear_backward_onto(cuda, view<float const, 2>, view<float const, 2>, view<tfloat32 const, 2>, float*, view<float, 2>, float*);
template void linear_backward_onto(cuda, view<float const, 2>, view<float const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward_onto(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, float*, view<float, 2>, float*);
template void linear_backward_onto(cuda, view<bfloat16 const, 2>, view<bfloat16 const, 2>, view<bfloat16 const, 2>, bfloat16*, view<float, 2>, float*);
template void layer_norm_forward(cuda, view<float const, 2>, float const*, float const*, float, view<float, 2>, float*, float*);
template void layer_norm_forward(cuda, view<float const, 2>, float const*, float const*, float, view<bfloat16, 2>, float*, float*, float*);
template void layer_norm_backward(cuda, view<float const, 2>, view<float const, 2>, float const*, float const*, float const*, view<float, 2>, float*, float*, bfloat16*, float*);
template void layer_norm_backward(cuda, view<bfloat16 const, 2>, view<float const, 2>, float const*, float const*, float const*, view<float, 2>, float*, float*, bfloat16*, float*);
template void gelu_backward(cuda, gelu_form, view<float const, 1>, view<float, 1>);
template void gelu_backward(cuda, gelu_form, view<bfloat16 const, 2>, view<bfloat16, 2>, float*);
template void gelu_forward(cuda, gelu_form, view<float const, 1>, view<float, 1>, float*);
template void gelu_forward(cuda, gelu_form, view<bfloat16 const, 1>, view<bfloat16, 1>, bfloat16*);
template void multiply_by(cuda, view<float const, 1>, view<float, 1>);
template void multiply_by(cuda, view<bfloat16 const, 1>, view<bfloat16, 1>);
template void add(cuda, view<float const, 1>, view<float, 1>);
template void embedding_forward(cuda, view<std::int32_t const, 2>, view<float const, 2>, view<float const, 2>, view<float, 3>);
template void embedding_backward(cuda, view<std::int32_t const, 2>, view<float const, 3>, view<float, 2>, view<float, 2>);
template void cross_entropy(cuda, view<float, 2>, std::int32_t const*, float, bool, double*);
template void cross_entropy(cuda, view<bfloat16, 2>, std::int32_t const*, float, bool, double*);
template void zero(cuda, view<float, 1>);
template double sum_of_squares(cuda, view<float const, 1>);
template void adamw_step(cuda, std::span<parameter_update<adamw_rule<float>, float> const>);
template void momentum_step(cuda, std::span<parameter_update<momentum_rule<float>, float> const>);
template void silu_forward(cuda, view<float const, 1>, view<float, 1>, float*);
template void relu_forward(cuda, view<float const, 1>, view<float, 1>, float*);
template void clip_forward(cuda, float, view<float const, 1>, view<float, 1>, float*);
template void soft_cap_forward(cuda, float, view<float const, 1>, view<float, 1>, float*);
template void multiply_by(cuda, float, view<float, 1>);
template void clamped_gate_forward(cuda, float, float, view<float const, 1>, view<float, 1>);
template void multiply_rows_by(cuda, float const*, view<float, 2>);
template void take_from_host(cuda, float const*, view<float, 1>);
template void take_from_host(cuda, bfloat16 const*, view<float, 1>);
template void copy(cuda, view<float const, 1>, view<float, 1>);
template void copy_heads(cuda, heads<float const>, heads<float>, index_t, index_t, index_t, index_t, float);
template void rms_norm_forward(cuda, view<float const, 2>, float const*, float, float, view<float, 2>);
template void rms_norm_backward(cuda, view<float const, 2>, view<float const, 2>, float const*, float, float, view<float, 2>, float*);
template void rotate_heads(cuda, heads<float>, index_t, index_t, index_t, rotation_angles<float> const&);
template bool gpu::multiply_few(cuda, float const*, float const*, float*, index_t, index_t, index_t);
template bool gpu::multiply_few(cuda, bfloat16 const*, float const*, float*, index_t, index_t, index_t);
template bool gpu::add_few(cuda, float const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
template bool gpu::add_few(cuda, bfloat16 const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
template bool gpu::add_few(cuda, bfloat16 const*, float const*, float const*, bfloat16*, bool, float*, index_t, index_t, index_t);
template void gemm(cuda, bool, bool, index_t, index_t, index_t, float, float const*, index_t, float const*, index_t, float, float*, index_t);

}  // namespace attnlab
