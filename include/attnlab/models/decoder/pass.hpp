#pragma once
#include <map>
#include <string_view>

#include <attnlab/core/buffer.hpp>
#include <attnlab/kernels/rotation_angles.hpp>
#include <attnlab/models/decoder/description.hpp>

namespace attnlab {

/// What is the same for all layers of a pass over T positions.
template <class S>
struct decoder_pass {
    index_t T = 0;
    rotation_angles<S> angles, window_angles;
    rotation_angles<S> angles_back, window_angles_back;   ///< what gradients are turned by
    /// What attention's parameters of these names are, (H) each.
    std::map<std::string_view, buffer<S>> numbers;

    decoder_pass() = default;
    decoder_pass(decoder_description const& d, index_t length)
        : T(length),
          angles(d.rotation.of_length(length), d.rotation.factor, length),
          window_angles(d.window_rotation.of_length(length), d.window_rotation.factor, length) {
        auto const all_heads = [&](double x) { return buffer<S>(static_cast<std::size_t>(d.heads), static_cast<S>(x)); };
        angles.neighbours = d.rotation.neighbours, window_angles.neighbours = d.window_rotation.neighbours;
        angles_back = angles.reversed(), window_angles_back = window_angles.reversed();
        numbers["given.cap"] = all_heads(d.score_cap);
        numbers["given.split"] = all_heads(d.slopes_scale != 0 ? 65536 : 0);
        numbers["given.weight"] = all_heads(d.slopes_scale != 0 ? d.slopes_scale : 1);
        for (double m : d.slopes) {
            numbers["given.slope"].push_back(static_cast<S>(m));
            numbers["given.shift"].push_back(static_cast<S>(d.slopes_from_end ? -m * static_cast<double>(length - 1) : 0));
        }
    }

    /// By what a layer turns q and k; without pairs where it does not.
    rotation_angles<S> const& angles_of(decoder_description const& d, index_t layer) const {
        return chosen(d, layer, angles, window_angles);
    }
    /// And its gradients.
    rotation_angles<S> const& angles_back_of(decoder_description const& d, index_t layer) const {
        return chosen(d, layer, angles_back, window_angles_back);
    }

private:
    rotation_angles<S> const& chosen(decoder_description const& d, index_t layer, rotation_angles<S> const& all, rotation_angles<S> const& of_windows) const {
        if (!d.rotates(layer)) return none_;
        return d.window(layer) > 0 && of_windows.pairs() > 0 ? of_windows : all;
    }

    rotation_angles<S> none_;
};

}  // namespace attnlab
