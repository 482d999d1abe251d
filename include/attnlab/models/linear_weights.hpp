#pragma once
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/observe/site.hpp>

namespace attnlab {

/// Whether a policy's learned tensor is a matrix that the layer's input is multiplied with: a Linear of its own.
template <class P>
inline constexpr bool is_input_map = requires { typename P::matrix_tag; };
template <class P>
    requires requires { P::size; }
inline constexpr bool is_input_map<P> = P::size == expr::length::model;

/// The weights of every Linear in the blocks of a GPT under `Policy`, its gates' maps too; without head and embeddings.
template <class Policy, class T>
std::vector<parameter<T>*> linear_weights(parameter_list<T> const& all) {
    std::vector<std::string> endings;
    for (auto const& w : site::weights) endings.push_back(text('.', w.name, ".weight"));
    [[maybe_unused]] auto const add = [&]<class P>(P const& p) {
        if (is_input_map<P>) endings.push_back(text(".attn.", p.name));
    };
    std::apply([&](auto const&... p) { (add(p), ...); }, Policy::parameters);
    std::vector<parameter<T>*> out;
    for (auto const& p : all)
        if (p->name.starts_with("transformer.h.") && std::any_of(endings.begin(), endings.end(), [&](auto const& e) { return p->name.ends_with(e); }))
            out.push_back(p.get());
    return out;
}

}  // namespace attnlab
