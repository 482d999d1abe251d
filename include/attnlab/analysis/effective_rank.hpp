#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// How many directions the rows of a matrix fill, and whether a head that looks at its sink says nothing or says the same thing.

namespace attnlab {

namespace detail {
/// Eigenvalues of a symmetric matrix (n,n), by Jacobi's rotations (Golub and Van Loan 8.5); for n up to a few hundred.
inline std::vector<double> symmetric_eigenvalues(std::vector<double> a, std::size_t n) {
    double whole = 0;
    for (double x : a) whole += x * x;
    for (int sweep = 0; sweep < 50; ++sweep) {
        double off = 0;
        for (std::size_t p = 0; p < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) off += 2 * a[p * n + q] * a[p * n + q];
        if (off <= 1e-30 * whole) break;
        for (std::size_t p = 0; p < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) {
                double const apq = a[p * n + q];
                if (apq == 0) continue;
                double const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                double const t = std::copysign(1 / (std::abs(theta) + std::hypot(theta, 1)), theta), c = 1 / std::hypot(t, 1),
                             s = t * c;
                for (std::size_t k = 0; k < n; ++k) {
                    double const x = a[k * n + p], y = a[k * n + q];
                    a[k * n + p] = c * x - s * y, a[k * n + q] = s * x + c * y;
                }
                for (std::size_t k = 0; k < n; ++k) {
                    double const x = a[p * n + k], y = a[q * n + k];
                    a[p * n + k] = c * x - s * y, a[q * n + k] = s * x + c * y;
                }
            }
    }
    std::vector<double> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = a[i * n + i];
    return values;
}
}  // namespace detail

/// exp of the entropy of the singular values' shares (Roy and Vetterli 2007), from 1 to min(rows, columns): 1 where all rows
/// point one way. The rows are not centred. A row with a number that is not finite is left out; NaN where nothing is left but
/// zeros.
template <class T>
double effective_rank(view<T const, 2> x) {
    auto const n = static_cast<std::size_t>(x.shape(1));
    std::vector<double> gram(n * n);
    for (index_t i = 0; i < x.shape(0); ++i) {
        if (!std::isfinite(norm(x[i]))) continue;
        for (std::size_t a = 0; a < n; ++a)
            for (std::size_t b = 0; b < n; ++b) gram[a * n + b] += static_cast<double>(x(i, a)) * static_cast<double>(x(i, b));
    }
    auto values = detail::symmetric_eigenvalues(std::move(gram), n);
    double const largest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    if (!(largest > 0)) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0, entropy = 0;
    for (double& v : values) sum += v = v > 1e-14 * largest ? std::sqrt(v) : 0;   // below: rounding, whose root would count
    for (double v : values)
        if (v > 0) entropy -= v / sum * std::log(v / sum);
    return std::exp(entropy);
}

/// What a head puts out for the queries that look at its sink.
struct sink_output {
    index_t queries = 0;  ///< with P[i,sink] > threshold
    /// Effective rank of their outputs: near 1 where one vector is broadcast.
    double rank = std::numeric_limits<double>::quiet_NaN();
    /// Mean norm of their outputs over that of the other queries: near 0 for a no-op.
    double norm_ratio = std::numeric_limits<double>::quiet_NaN();
};

/// Tells a no-op (small outputs) from a broadcast (outputs of rank 1 that are not small); idea of 2606.08105, measures ours.
/// \param output  of the head, (T,D)
/// \param p       its weights, (T,T)
template <class T>
sink_output output_under_sink(view<T const, 2> output, view<T const, 2> p, index_t sink = 0, double threshold = 0.5) {
    require(output.shape(0) == p.shape(0), "output under sink: expected as many outputs as queries, ", p.shape(0), ", got ",
            output.shape(0));
    sink_output r;
    running_mean under, others;
    std::vector<T> rows;
    for (index_t i = 0; i < p.shape(0); ++i) {
        double const size = norm(output[i]);
        if (!std::isfinite(size) || !std::isfinite(p(i, sink))) continue;
        bool const looks = static_cast<double>(p(i, sink)) > threshold;
        (looks ? under : others).add(size);
        if (looks) rows.insert(rows.end(), output[i].begin(), output[i].end());
    }
    r.queries = under.count();
    if (r.queries > 0) r.rank = effective_rank(view<T const, 2>(rows.data(), {r.queries, output.shape(1)}));
    if (r.queries > 0 && others.count() > 0) r.norm_ratio = under.mean() / others.mean();
    return r;
}

}  // namespace attnlab
