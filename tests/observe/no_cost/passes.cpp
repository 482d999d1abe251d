// The passes of a GPT on a device whose kernels are declared and not defined: all that is compiled here is layers and hooks. With
// ATTNLAB_WITHOUT_HOOKS the calls of the hooks are taken out of the text, as if there were no observers in the library.
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/rope.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/layers/attention_sites.hpp>
#include <attnlab/layers/factor.hpp>
#include <attnlab/observe/observer.hpp>

#ifdef ATTNLAB_WITHOUT_HOOKS
namespace attnlab {
template <class>
constexpr void no_hook(auto&&...) {}
template <class Policy, class Device, class S>
void kernel_alone(attention_problem<S> const& p, attention_saved<S>& rows, stored_heads<S> const& z, auto&, index_t) {
    attention_forward<Policy>(Device{}, p, rows, z);
}
}  // namespace attnlab
#define watch(...) static_cast<void>(0)
#define check_layers(...) static_cast<void>(0)
#define watch_before_attention no_hook
#define attend kernel_alone
#endif
#include <attnlab/models/gpt.hpp>

namespace attnlab {

struct declared {
    using scalar = float;
    static constexpr char const* name = "declared";
};
using in = view<float const, 2>;
using out = view<float, 2>;
using many = view<float const, 1>;
bool has_bfloat16(declared);
void linear_forward(declared, in, in, float const*, out);
void linear_forward(declared, in, view<bfloat16 const, 2>, float const*, out);
void linear_backward(declared, in, in, in, float*, out, float*);
void linear_backward(declared, in, in, view<bfloat16 const, 2>, float*, out, float*);
void linear_backward_onto(declared, in, in, in, float*, out, float*);
void linear_backward_onto(declared, in, in, view<bfloat16 const, 2>, float*, out, float*);
void round(declared, many, view<bfloat16, 1>);
void layer_norm_forward(declared, in, float const*, float const*, float, out, float*, float*);
void layer_norm_backward(declared, in, in, float const*, float const*, float const*, out, float*, float*);
void gelu_forward(declared, gelu_form, many, view<float, 1>, float*);
void multiply_by(declared, many, view<float, 1>);
void multiply_by(declared, float by, view<float, 1> y);
void soft_cap_forward(declared, float cap, view<float const, 1> x, view<float, 1> y, float* slope);
void add(declared, many, view<float, 1>);
void zero(declared, view<float, 1>);
void synchronize(declared);
void embedding_forward(declared, view<std::int32_t const, 2>, in, in, view<float, 3>);
void embedding_backward(declared, view<std::int32_t const, 2>, view<float const, 3>, out, out);
void cross_entropy(declared, out, std::int32_t const*, float, bool, double*);
template <class Policy>
void attention_forward(declared, attention_problem<float> const&, attention_saved<float>&, heads<float>);
template <class Policy>
void attention_backward(declared, attention_problem<float> const&, attention_saved<float> const&, heads<float const>,
                        heads<float const>, attention_gradients<float> const&);

template <class Policy>
void passes(gpt<Policy, declared>& model, view<std::int32_t const, 2> x, view<std::int32_t const, 2> y) {
#ifdef ATTNLAB_WITH_OBSERVER
    struct {
        using sites = site_list<site::pattern>;
        void operator()(site::pattern, index_t, view<float const, 4> p) { sum += p(0, 0, 0, 0); }
        float sum = 0;
    } o;
    model.loss(x, y, o);
#else
    model.logits(x);
    model.loss(x, y);
    model.loss_and_gradient(x, y, 0.5);
#endif
}
template void passes(gpt<attention<causal, softmax>, declared>&, view<std::int32_t const, 2>, view<std::int32_t const, 2>);
#ifndef ATTNLAB_WITH_OBSERVER
template void passes(gpt<attention<rope<>, causal, softmax, context_scale>, declared>&, view<std::int32_t const, 2>,
                     view<std::int32_t const, 2>);
#endif

}  // namespace attnlab
