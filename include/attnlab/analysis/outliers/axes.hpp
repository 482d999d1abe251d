#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include <attnlab/core/fixed_string.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/site.hpp>

/// \file
/// What a coordinate counts, as types: an outlier set over (layer, token) is another type than one over (layer, channel), and so
/// are channels of the stream and neurons of the MLP. The letters are those of core/view.hpp, by which a site spells its axes.

namespace attnlab {

namespace axis {

template <fixed_string Name, char Letter>
struct count_of {
    static constexpr std::string_view name = Name.view();
    static constexpr char letter = Letter;
};

struct sequence : count_of<"sequence", 'B'> {};          ///< of all that was looked at, over all batches
struct layer : count_of<"layer", 'L'> {};
struct head : count_of<"head", 'H'> {};                  ///< query heads, or key heads where a site has those
struct token : count_of<"token", 'T'> {};                ///< position of a row (a query)
struct key : count_of<"key", 'T'> {};                    ///< position that is looked at
struct channel : count_of<"channel", 'C'> {};            ///< of the stream
struct neuron : count_of<"neuron", 'F'> {};              ///< of the MLP: input channel of the down projection
struct vocabulary : count_of<"vocabulary", 'V'> {};
struct head_channel : count_of<"head_channel", 'D'> {};  ///< within a head
struct row : count_of<"row", 'O'> {};                    ///< output of a weight matrix
struct column : count_of<"column", 'I'> {};              ///< input of a weight matrix

/// Whether the axis counts positions: along it there is a position 0, and a slack.
template <class Axis>
inline constexpr bool is_position = Axis::letter == 'T';

}  // namespace axis

/// The axes of a coordinate, in order.
template <class... Axes>
struct axis_list {
    static constexpr std::size_t size = sizeof...(Axes);
    static constexpr std::array<std::string_view, size> names = {Axes::name...};
    static constexpr std::array<char, size> letters = {Axes::letter...};
    static constexpr std::array<bool, size> positions = {axis::is_position<Axes>...};
    using coordinate = std::array<index_t, size>;

    template <class Axis>
    static constexpr bool has = (std::is_same_v<Axis, Axes> || ...);
    /// Place of `Axis` in the list; `size` where it has none.
    template <class Axis>
    static constexpr std::size_t place = [] {
        std::size_t at = 0;
        static_cast<void>(((std::is_same_v<Axis, Axes> ? true : (++at, false)) || ...));
        return at;
    }();
};

/// What kind of tensor stands at a site. A rule says which it reads.
enum class site_kind {
    rows,          ///< (B,T,C), (B,T,F), (B,T,V): a row of channels for each token
    heads,         ///< (B,H,T,D): queries, keys, values
    pattern,       ///< (B,H,T,T): attention weights
    pattern_sums,  ///< (B,H,T): the column sums of attention weights over the queries
    matrix,        ///< (O,I): a weight, (output, input)
    other
};

template <class Site>
inline constexpr site_kind kind_of = [] {
    constexpr auto axes = Site::axes;
    if (axes == "B T C" || axes == "B T F" || axes == "B T V") return site_kind::rows;
    if (axes == "B H T D") return site_kind::heads;
    if (axes == "B H T T") return site_kind::pattern;
    if (axes == "O I") return site_kind::matrix;
    return std::is_same_v<Site, site::pattern_sums> ? site_kind::pattern_sums : site_kind::other;
}();

/// What the channels of a site of rows are: axis::channel, axis::neuron or axis::vocabulary.
template <class Site>
using channels_of = std::conditional_t<Site::axes.back() == 'F', axis::neuron,
                                       std::conditional_t<Site::axes.back() == 'V', axis::vocabulary, axis::channel>>;

/// Axes of what is found at a site of rows, token by token.
template <class Site>
using token_axes = axis_list<axis::sequence, axis::layer, axis::token, channels_of<Site>>;

}  // namespace attnlab
