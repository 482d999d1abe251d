#pragma once
#include <algorithm>
#include <type_traits>

#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/decoder/policies.hpp>

/// \file
/// A policy of one's own in a family of decoders: the policy says mask, weighting and outputs; what the family does to scores
/// comes first, and its windows take keys away from what the policy's mask shows. Rotation and QK-norm are the decoder's, before
/// the kernel.

namespace attnlab {

/// Keys of `Mask` from `first` on: where the window of a layer begins, and the document of the query where the mask reads it.
template <class Mask>
struct from_first : Mask {
    static constexpr auto keys(index_t i, index_t T, index_t first) {
        auto ranges = detail::ranges_of<Mask>(i, T, first);
        for (auto& r : ranges) r.begin = std::max(r.begin, first), r.end = std::max(r.begin, r.end);
        if constexpr (ranges.size() == 1)
            return ranges[0];
        else
            return ranges;
    }
};

/// What families do to scores: nothing, ALiBi, or a cap.
enum class score_form { plain, alibi, capped };
inline score_form form_of(decoder_description const& d) {
    return !d.slopes.empty() ? score_form::alibi : d.score_cap > 0 ? score_form::capped : score_form::plain;
}

namespace detail {
template <class J>
struct joint_in_family : std::type_identity<J> {};
template <mask_joint J>
struct joint_in_family<J> : std::type_identity<from_first<J>> {};
template <>
struct joint_in_family<causal> : std::type_identity<recent> {};
template <>
struct joint_in_family<document> : std::type_identity<recent> {};

template <score_form Form, class Policy>
struct policy_in_family;  // of a type of one's own around a policy there is none
template <score_form Form, class... Js>
struct policy_in_family<Form, attention<Js...>> {
    template <class... Before>
    using after = std::conditional_t<(mask_joint<Js> || ...), attention<Before..., typename joint_in_family<Js>::type...>,
                                     attention<Before..., from_first<full>, Js...>>;
    using type = std::conditional_t<Form == score_form::plain, after<>,
                                    std::conditional_t<Form == score_form::alibi, after<given_slopes>, after<given_cap>>>;
};
}  // namespace detail

/// `Policy`, an attention<...>, as a decoder of that form runs it.
template <score_form Form, class Policy>
using in_family = typename detail::policy_in_family<Form, Policy>::type;

}  // namespace attnlab
