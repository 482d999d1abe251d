#pragma once
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/attention_sites.hpp>
#include <attnlab/models/trained/in_family.hpp>
#include <attnlab/observe/after_device.hpp>
#include <attnlab/observe/any_observer.hpp>

/// \file
/// The policy of a decoder that is trained, as a value: a decoder is compiled once for all policies, a policy for its kernels
/// alone.

namespace attnlab {

/// What a decoder asks of its policy. Include the attention kernel of the device beside this header.
template <class Device>
struct decoder_policy {
    using S = typename Device::scalar;

    score_form form;
    std::vector<std::string_view> names;  ///< of its parameters, in order; those that the family gives begin with "given."
    bool reads_input, reads_documents, keys_have_heads;
    /// Adds what a layer learns as PREFIX.NAME; null where the family gives the numbers.
    std::vector<parameter<S>*> (*declare)(parameter_list<S>&, std::string const& prefix, head_sizes, double deviation);
    /// z (B, T, H D) is assigned.
    void (*forward)(attention_problem<S> const&, attention_saved<S>&, tensor<S, 3>& z);
    /// The same with an observer, which may change what is projected, qkv (B, T, (H + 2 H_kv) D). Null where numbers are not
    /// floats.
    void (*watched)(attention_problem<S> const&, attention_saved<S>&, tensor<S, 3>& qkv, tensor<S, 3>& z, any_observer&,
                    index_t layer);
    void (*backward)(attention_problem<S> const&, attention_saved<S> const&, heads<S const> z, heads<S const> dz,
                     attention_gradients<S> const&);
};

namespace detail {
inline bool is_given(std::string_view parameter) { return parameter.starts_with("given."); }

template <class Policy, class S>
std::vector<parameter<S>*> declare_learned(parameter_list<S>& all, std::string const& prefix, head_sizes n, double deviation) {
    std::vector<parameter<S>*> out;
    [[maybe_unused]] auto const add = [&]<class P>(P const& p) {
        initializer const first = p.init.deviation == from_model.deviation ? normal(deviation) : p.init;
        out.push_back(is_given(p.name) ? nullptr : all.add(prefix + '.' + std::string(p.name), P::shape(n), first));
    };
    std::apply([&](auto const&... p) { (add(p), ...); }, Policy::parameters);
    return out;
}
}  // namespace detail

/// Compiles `Policy`, an attention<...>, for families of one form.
template <score_form Form, class Policy, class Device>
decoder_policy<Device> make_decoder_policy() {
    using S = typename Device::scalar;
    using P = in_family<Form, Policy>;
    decoder_policy<Device> out{};
    out.form = Form;
    out.names = {P::parameter_names.begin(), P::parameter_names.end()};
    out.reads_input = P::reads_input, out.reads_documents = attnlab::reads_documents<typename Policy::mask>,
    out.keys_have_heads = P::keys_have_heads;
    out.declare = detail::declare_learned<P, S>;
    out.forward = [](attention_problem<S> const& p, attention_saved<S>& rows, tensor<S, 3>& z) {
        attention_forward<P>(Device{}, p, rows, merged_heads(*z, p.D));
    };
    if constexpr (std::is_same_v<S, float>)
        out.watched = [](attention_problem<S> const& p, attention_saved<S>& rows, tensor<S, 3>& qkv, tensor<S, 3>& z,
                         any_observer& o, index_t layer) {
            auto&& seen_by = on_device<Device>(o);
            watch_before_attention<P>(seen_by, layer, p, qkv);
            attend<P, Device>(p, rows, merged_heads(*z, p.D), seen_by, layer);
        };
    out.backward = [](attention_problem<S> const& p, attention_saved<S> const& rows, heads<S const> z, heads<S const> dz,
                      attention_gradients<S> const& g) { attention_backward<P>(Device{}, p, rows, z, dz, g); };
    return out;
}

}  // namespace attnlab
