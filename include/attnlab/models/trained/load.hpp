#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <attnlab/core/parameter.hpp>
#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

namespace detail {

/// Stored (in, out), read as (out, in).
template <class S>
void read_turned(stored_tensor const& t, std::span<S> out) {
    index_t const in = t.shape[0], rows = t.shape[1];
    std::vector<S> row(static_cast<std::size_t>(rows));
    for (index_t i = 0; i < in; ++i) {
        t.read(row.data(), i * rows, rows);
        for (index_t o = 0; o < rows; ++o) out[static_cast<std::size_t>(o * in + i)] = row[static_cast<std::size_t>(o)];
    }
}

}  // namespace detail

/// The matrices that a family's files store (in, out).
inline std::set<std::string> turned_matrices(decoder_description const& d) {
    std::set<std::string> out;
    for (index_t l = 0; l < d.layers; ++l)
        for (auto const& m : d.matrices())
            if (m.transposed) out.insert(d.prefix(l) + m.name + ".weight");
    return out;
}

/// The tensors of a family's folder as parameters of a `trained_decoder`; matrices that the folder stores (in, out) are turned.
class family_weights {
public:
    family_weights(model_folder const& from, decoder_description const& d) : from_(from), turned_(turned_matrices(d)) {
        for (index_t l = 0; l < d.layers; ++l)
            (void)from.tensor(d.prefix(l) + d.out.name + ".weight");  // so many layers, before anything is made of them
    }

    /// \param learned  by the policy: not looked for
    /// \throws error naming file and tensor: missing, or of another shape
    template <class S>
    void check(parameter_list<S> const& parameters, std::vector<parameter<S>*> const& learned) const {
        each(parameters, learned, [](auto const&, auto&, bool) {});
    }
    /// Fills the parameters but those, numbers of any type.
    template <class S>
    void read(parameter_list<S> const& parameters, std::vector<parameter<S>*> const& learned) const {
        each(parameters, learned, [](stored_tensor const& t, parameter<S>& p, bool turned) {
            if (turned)
                detail::read_turned(t, p.value);
            else
                t.read(p.value.data(), 0, p.size());
            t.release();
        });
    }

private:
    template <class S, class Use>
    void each(parameter_list<S> const& parameters, std::vector<parameter<S>*> const& learned, Use use) const {
        for (auto const& p : parameters) {
            if (std::find(learned.begin(), learned.end(), p.get()) != learned.end()) continue;
            bool const turned = turned_.contains(p->name);
            use(from_.tensor(p->name, turned ? std::vector{p->shape[1], p->shape[0]} : p->shape), *p, turned);
        }
    }

    model_folder const& from_;
    std::set<std::string> turned_;
};

}  // namespace attnlab
