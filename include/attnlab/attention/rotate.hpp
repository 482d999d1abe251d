#pragma once
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include <attnlab/attention/symbols.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// Rotation of pairs of channels by angles that grow with the position (RoPE, 2104.09864), as a function of the language: linear in
/// its row, so its gradient is the rotation back.

namespace attnlab {

/// Which channels of D are rotated together.
struct rotary_pairs {
    index_t rotated;     ///< channels 0 .. rotated are turned, an even number; the others stay
    bool interleaved;    ///< neighbours (2p, 2p + 1); otherwise (p, p + rotated / 2)
};

namespace expr {
/// `Rotation` offers `static constexpr rotary_pairs pairs(index_t D)` and `static constexpr double frequency(index_t pair, rotary_pairs)`: the
/// angle at position t is t * frequency.
template <expression A, class Rotation>
struct rotated {
    using expression_tag = void;
    static_assert(A::size == length::head, "rotate(row, rotation): expected a row of D");
    static constexpr length size = length::head;
    A a;
};

/// \throws error where rows of D cannot be turned
template <class Rotation>
rotary_pairs checked_pairs(index_t D) {
    rotary_pairs const pairs = Rotation::pairs(D);
    require(0 <= pairs.rotated && pairs.rotated <= D && pairs.rotated % 2 == 0, "rope: heads of ", D, " channels, but ", pairs.rotated, " are to be rotated in pairs");
    return pairs;
}
/// The rotations of formulas, each once.
template <class... Rotations>
struct rotation_list {
    static constexpr index_t count = sizeof...(Rotations);
    /// Where `Rotation` stands.
    template <class Rotation>
    static constexpr index_t position = [] {
        index_t i = 0;
        static_cast<void>(((std::is_same_v<Rotation, Rotations> || (++i, false)) || ...));
        return i;
    }();
    template <class Rotation>
    static constexpr auto with() {
        if constexpr (position<Rotation> < count) return rotation_list{};
        else return rotation_list<Rotations..., Rotation>{};
    }
    /// `body(Rotation{}, i)` for each.
    template <class Body>
    static constexpr void each([[maybe_unused]] Body body) {
        (body(Rotations{}, position<Rotations>), ...);
    }
};
template <class E>
struct rotation_of {
    using type = void;
};
template <class A, class Rotation>
struct rotation_of<rotated<A, Rotation>> {
    using type = Rotation;
};
/// How many nodes of a formula turn rows.
template <class E>
constexpr index_t count_rotations() {
    index_t n = !std::is_void_v<typename rotation_of<E>::type>;
    if constexpr (requires(E e) { e.a; }) n += count_rotations<decltype(E::a)>();
    if constexpr (requires(E e) { e.b; }) n += count_rotations<decltype(E::b)>();
    return n;
}
/// `found`, and the rotations of E.
template <class E, class Found>
constexpr auto and_rotations(Found found) {
    using rotation = typename rotation_of<E>::type;
    if constexpr (!std::is_void_v<rotation>)
        return and_rotations<decltype(E::a)>(found.template with<rotation>());
    else if constexpr (requires(E e) { e.a; e.b; })
        return and_rotations<decltype(E::b)>(and_rotations<decltype(E::a)>(found));
    else if constexpr (requires(E e) { e.a; })
        return and_rotations<decltype(E::a)>(found);
    else
        return found;
}
/// Those of a policy's rows.
template <class Policy>
using rotations_of = decltype(and_rotations<std::remove_const_t<decltype(Policy::output)>>(and_rotations<std::remove_const_t<decltype(Policy::value)>>(
    and_rotations<std::remove_const_t<decltype(Policy::key)>>(and_rotations<std::remove_const_t<decltype(Policy::query)>>(rotation_list<>{})))));
/// Asks every rotation of a policy whether it can turn rows of D: for devices, where nothing is thrown. \throws error
template <class Policy>
void check_rotations_of(index_t D) {
    rotations_of<Policy>::each([&]<class Rotation>(Rotation, index_t) { checked_pairs<Rotation>(D); });
}

/// cos and sin of all angles up to some position, made once a process and grown on demand.
template <class S, class Rotation>
class rotation_table {
public:
    /// The table for rows of D that knows `position`.
    static std::shared_ptr<rotation_table const> of(index_t D, index_t position) {
        static std::mutex guard;
        static std::map<index_t, std::shared_ptr<rotation_table const>> tables;
        std::lock_guard const lock(guard);
        auto& table = tables[D];
        if (!table || table->positions() <= position) {
            index_t count = 64;
            while (count <= position) count *= 2;
            table = std::shared_ptr<rotation_table const>(new rotation_table(D, count));
        }
        return table;
    }
    index_t positions() const { return positions_; }

    /// Turns a row by the angles of `position`, or back.
    template <bool Back>
    void turn(index_t position, S* row) const {
        index_t const half = pairs_.rotated / 2;
        S const *cosine = cosines_.data() + position * half, *sine = sines_.data() + position * half;
        auto const one = [&](index_t p, S& x, S& y) {
            S const s = Back ? -sine[p] : sine[p], c = cosine[p], x0 = x;
            x = x0 * c - y * s;
            y = y * c + x0 * s;
        };
        if (pairs_.interleaved)
            for (index_t p = 0; p < half; ++p) one(p, row[2 * p], row[2 * p + 1]);
        else
            for (index_t p = 0; p < half; ++p) one(p, row[p], row[p + half]);
    }

private:
    rotation_table(index_t D, index_t positions) : pairs_(checked_pairs<Rotation>(D)), positions_(positions) {
        for (index_t t = 0; t < positions; ++t)
            for (index_t p = 0; p < pairs_.rotated / 2; ++p) {
                double const angle = static_cast<double>(t) * Rotation::frequency(p, pairs_);
                cosines_.push_back(static_cast<S>(std::cos(angle)));
                sines_.push_back(static_cast<S>(std::sin(angle)));
            }
    }

    rotary_pairs pairs_;
    index_t positions_;
    std::vector<S> cosines_, sines_;
};
}  // namespace expr

/// The row, its pairs of channels turned by the row's position.
template <expr::expression A, class Rotation>
constexpr expr::rotated<A, Rotation> rotate(A const& row, Rotation) {
    return {row};
}

}  // namespace attnlab
