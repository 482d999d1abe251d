#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/figure.hpp>
#include <attnlab/io/figure_scale.hpp>
#include <attnlab/io/gnuplot_text.hpp>

/// \file
/// A relief in gnuplot's language. gnuplot's own view of space does not keep to a panel, so that rows are laid down here,
/// obliquely: columns go to the right, rows to the back, heights up. Each row hides what lies behind it.

namespace attnlab::detail {

/// A place of the panel, in shares of its sides from its lower left.
struct relief_point {
    double x, y;
};
/// Where column u, row v and height w, each from 0 to 1, are drawn.
inline relief_point relief_place(double u, double v, double w) {
    return {0.09 + 0.61 * u + 0.18 * v, 0.12 + 0.25 * v + 0.58 * w};
}

inline double relief_share(double at, std::size_t count) { return count > 1 ? at / static_cast<double>(count - 1) : 0; }

/// The greatest height shown.
inline double relief_top(relief const& r, std::optional<shown_range> range) {
    if (range) return range->high;
    double top = 0;
    for (double v : r.values)
        if (std::isfinite(v)) top = std::max(top, v);
    return top > 0 ? top : 1;
}

/// Every row as points, two blank lines apart, the last row first. Points that lie on the line through their neighbours are left
/// out: of a flat row two are enough.
inline std::string relief_data(relief const& r, std::optional<shown_range> range, std::string const& name) {
    double const top = relief_top(r, range);
    std::string out = name + " << EOD\n";
    for (std::size_t row = r.rows; row-- > 0;) {
        std::vector<relief_point> points;
        for (std::size_t c = 0; c < r.columns; ++c) {
            double const v = r.values[row * r.columns + c];
            points.push_back(relief_place(relief_share(static_cast<double>(c), r.columns),
                                          relief_share(static_cast<double>(row), r.rows),
                                          std::clamp(std::isfinite(v) ? v / top : 0, 0., 1.)));
        }
        double kept = -1;
        for (std::size_t c = 0; c < points.size(); ++c) {
            double const y = points[c].y;
            constexpr double visible = 0.002;
            bool const turns = std::abs(y - kept) > visible || (c + 1 < points.size() && std::abs(points[c + 1].y - y) > visible);
            if (c > 0 && c + 1 < points.size() && !turns) continue;
            out += gp_number(points[c].x) + " " + gp_number(y) + "\n";
            kept = y;
        }
        out += row > 0 ? "\n\n" : "";
    }
    return out + "EOD\n";
}

/// Axes, rows and words; the panel's margins are set already.
/// \param width, height  of the panel, in pixels
inline std::string relief_drawing(panel const& p, std::string const& name, double width, double height) {
    auto const& r = *p.heights;
    std::string out = "unset border\nunset tics\nunset grid\nunset logscale\nset xrange [0:1]\nset yrange [0:1]\n";
    auto const at = [](relief_point q) { return text("first ", gp_number(q.x), ", first ", gp_number(q.y)); };
    auto const line = [&](relief_point a, relief_point b, char const* colour, double wide) {
        out += text("set arrow from ", at(a), " to ", at(b), " nohead lw ", wide, " lc rgb '", colour, "' back\n");
    };
    auto const words = [&](std::string_view what, relief_point q, char const* side, double font, bool markup = false,
                           bool upright = false) {
        if (!what.empty())
            out += text("set label ", gp_quoted(what), " at ", at(q), " ", side, upright ? " rotate by 90" : "",
                        markup ? " enhanced" : " noenhanced", " font '", family, ",", font, "' tc rgb '", ink, "' front\n");
    };
    auto const right = [&](double pixels) { return pixels / width; };
    auto const up = [&](double pixels) { return pixels / height; };

    // The floor, the wall behind with a line at each height, and the wall at the left.
    double const top = relief_top(r, p.y.range);
    auto const ticks = linear_ticks({0, top}, height * 0.58 / 34, false);
    for (auto const& t : ticks) {
        double const w = t.at / top;
        line(relief_place(0, 0, w), relief_place(0, 1, w), grid_ink, 0.7);
        line(relief_place(0, 1, w), relief_place(1, 1, w), grid_ink, 0.7);
        auto const q = relief_place(0, 0, w);
        line({q.x - right(4), q.y}, q, faint, 0.8);
        words(t.label, {q.x - right(7), q.y}, "right", 11, true);
    }
    line(relief_place(0, 0, 0), relief_place(0, 0, 1), faint, 0.8);
    line(relief_place(0, 0, 0), relief_place(1, 0, 0), faint, 0.8);
    line(relief_place(1, 0, 0), relief_place(1, 1, 0), faint, 0.8);
    auto const peak = relief_place(0, 0, 1);
    words(p.y.label, {peak.x, peak.y + up(14)}, "center", 12);

    // What is marked on the two axes of the floor. Of labels that would lie on each other the first stays.
    std::vector<relief_point> taken;
    auto const mark = [&](relief_point q, double dx, double dy, std::string const& label, char const* side, double need_x,
                          double need_y) {
        line(q, {q.x + right(dx) * 0.5, q.y + up(dy) * 0.5}, ink, 0.8);
        relief_point const place{q.x + right(dx), q.y + up(dy)};
        for (auto const& t : taken)
            if (std::abs(t.x - place.x) < right(need_x) && std::abs(t.y - place.y) < up(need_y)) return;
        taken.push_back(place);
        words(label, place, side, 11);
    };
    for (auto const& m : r.column_marks)
        mark(relief_place(relief_share(m.at, r.columns), 0, 0), 0, -13, m.label, "center",
             7.0 * static_cast<double>(m.label.size()) + 6, 12);
    taken.clear();
    double longest = 0;
    for (auto const& m : r.row_marks) {
        mark(relief_place(1, relief_share(m.at, r.rows), 0), 8, 0, m.label, "left", 1e9, 13);
        longest = std::max(longest, static_cast<double>(m.label.size()));
    }
    auto const front = relief_place(0.5, 0, 0);
    words(p.x.label, {front.x, front.y - up(31)}, "center", 12);
    auto const side = relief_place(1, 0, 0);
    words(r.row_label, {std::min(side.x + right(8), 0.9), side.y - up(16)}, "left", 12);

    std::vector<std::string> layers;
    for (std::size_t row = r.rows, k = 0; row-- > 0; ++k) {
        bool const marked = std::find(r.highlighted.begin(), r.highlighted.end(), row) != r.highlighted.end();
        double const floor = relief_place(0, relief_share(static_cast<double>(row), r.rows), 0).y;
        layers.push_back(text(name, " index ", k, " using 1:2 with filledcurves y1=", gp_number(floor),
                              " fc rgb '#ffffff' fs solid noborder"));
        layers.push_back(text(name, " index ", k, " using 1:2 with lines lw ", marked ? 1.6 : 0.7, " lc rgb ",
                              marked ? gp_colour(colour_of(1)) : std::string("'#7F9DB9'")));
    }
    return out + "plot " + joined(layers, ", \\\n  ") + "\nunset label\nunset arrow\n";
}

}  // namespace attnlab::detail
