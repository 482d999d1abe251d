#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/figure.hpp>
#include <attnlab/io/figure_layout.hpp>
#include <attnlab/io/figure_relief.hpp>
#include <attnlab/io/figure_scale.hpp>
#include <attnlab/io/gnuplot_text.hpp>

/// \file
/// A figure in gnuplot's language. Positions come from the layout; gnuplot draws axes and data. Texts of a user are drawn with its
/// markup off.

namespace attnlab::detail {

/// Writes one figure: first its data, then, for each terminal, its drawing.
class figure_script {
public:
    /// `prefix` makes the names of the data unique within a script. \throws error when the figure does not fit together
    figure_script(figure const& f, std::string prefix) : f_(f), prefix_(std::move(prefix)) {
        check(f_);
        layout_ = make_layout(f_);
    }

    double width() const { return layout_.width; }
    double height() const { return layout_.height; }

    /// One data block a curve, a set of bars or a map.
    std::string data() const {
        std::string out;
        auto const block = [&](std::size_t panel, std::size_t item, auto&& rows) {
            out += name(panel, item) + " << EOD\n";
            rows();
            out += "EOD\n";
        };
        for (std::size_t i = 0; i < f_.panels.size(); ++i) {
            auto const& p = f_.panels[i];
            bool const log = layout_.panels[i].y.log;
            auto const shown = [&](double v) { return gp_number(log && v <= 0 ? std::nan("") : v); };
            auto const bound = [&](std::vector<double> const& v, std::size_t k) { return " " + shown(v.empty() ? std::nan("") : v[k]); };
            std::size_t item = 0;
            for (auto const& c : p.curves)
                block(i, item++, [&] {
                    for (std::size_t k = 0; k < c.x.size(); ++k)
                        out += gp_number(c.x[k]) + " " + shown(c.y[k]) + bound(c.low, k) + bound(c.high, k) + "\n";
                    if (c.x.empty()) out += "NaN NaN NaN NaN\n";
                });
            for (auto const& b : p.groups) {
                double const offset = bar_width(p) * (static_cast<double>(item) - (static_cast<double>(p.groups.size()) - 1) / 2);
                block(i, item++, [&] {
                    for (std::size_t k = 0; k < b.values.size(); ++k)
                        out += gp_number(static_cast<double>(k) + offset) + " " + shown(b.values[k]) + bound(b.low, k) + bound(b.high, k) +
                               text(" ", colour_of(b.colours[b.colours.size() == 1 ? 0 : k])) + "\n";
                });
            }
            if (p.heights) out += relief_data(*p.heights, p.y.range, name(i, 0));
            if (!p.map) continue;
            shown_range const shades = layout_.colour.range;
            block(i, item, [&] {
                // A lone row or column is written twice: alone it is no picture to gnuplot, which would draw nothing.
                auto const& m = *p.map;
                for (std::size_t r = 0; r < std::max<std::size_t>(m.rows, 2); ++r, out += '\n')
                    for (std::size_t c = 0; c < std::max<std::size_t>(m.columns, 2); ++c) {
                        double const v = m.values[std::min(r, m.rows - 1) * m.columns + std::min(c, m.columns - 1)];
                        out += gp_number(std::isnan(v) ? v : std::clamp(v, shades.low, shades.high)) + ' ';
                    }
            });
        }
        if (layout_.has_map) {
            out += "$" + prefix_ + "_bar << EOD\n";
            for (int k = 0; k < 256; ++k) out += text(k, " ", k, "\n");  // two columns: one alone is no picture to gnuplot
            out += "EOD\n";
        }
        return out;
    }

    std::string drawing() const {
        std::string out = "set multiplot\nunset key\n" + texts();
        for (std::size_t i = 0; i < f_.panels.size(); ++i) out += drawing_of(i);
        if (layout_.has_map) out += colour_bar();
        return out + "unset multiplot\n";
    }

private:
    /// Each labelled reference line has dashes of its own, by which the legend tells them apart.
    std::string dash_of(std::string const& of) const {
        static constexpr char const* dashes[] = {" dt (4,4)", " dt (10,4)", " dt (1.5,3)", " dt (10,3,2,3)"};
        std::size_t k = 0;
        for (auto const& e : layout_.legend) {
            if (e.label == of) break;
            k += e.reference;
        }
        return dashes[of.empty() ? 0 : k % 4];
    }
    static std::string axis_label(figure_axis const& a) { return a.log && !a.label.empty() ? a.label + " (log)" : a.label; }

    std::string name(std::size_t panel, std::size_t item) const { return text("$", prefix_, "_", panel, "_", item); }
    static double bar_width(panel const& p) { return 0.8 / static_cast<double>(p.groups.size()); }

    /// A position in pixels from the upper left as gnuplot has it: shares of the whole from the lower left.
    std::string at(double x, double y) const {
        return text("screen ", gp_number(x / layout_.width), ", screen ", gp_number(1 - y / layout_.height));
    }

    /// Where the plotting area lies.
    std::string margins(double left, double top, double width, double height) const {
        auto const w = layout_.width, h = layout_.height;
        return text("set lmargin at screen ", gp_number(left / w), "\nset rmargin at screen ", gp_number((left + width) / w),
                    "\nset tmargin at screen ", gp_number(1 - top / h), "\nset bmargin at screen ", gp_number(1 - (top + height) / h), "\n");
    }

    std::string label(std::string_view words, double x, double y, std::string_view side, double font, bool bold = false,
                      bool upright = false, bool markup = false) const {
        if (words.empty()) return {};
        return text("set label ", gp_quoted(words), " at ", at(x, y), " ", side, upright ? " rotate by 90" : "", markup ? " enhanced" : " noenhanced", " font '",
                    family, bold ? ":Bold" : "", ",", font, "' tc rgb '", ink, "'\n");
    }

    /// All that is not within a panel, drawn as the labels of an empty plot.
    std::string texts() const {
        auto const& l = layout_;
        std::string out = "unset border\nunset tics\nunset colorbox\n" + margins(0, 0, l.width, l.height);
        out += label(f_.title, l.grid_left, l.title_y, "left", title_font, true);
        for (auto const& e : l.legend) {
            out += label(e.label, e.x + legend_sample, e.y, "left", label_font);
            auto const colour = e.reference ? text("'", faint, "'") : gp_colour(colour_of(e.colour));
            if (e.box) out += text("set object rectangle from ", at(e.x + 9, e.y - 6), " to ", at(e.x + 22, e.y + 6), " fc rgb ", colour, " fs solid noborder\n");
            if (e.band) out += text("set object rectangle from ", at(e.x, e.y - 6), " to ", at(e.x + 22, e.y + 6), " fc rgb ", colour, " fs transparent solid 0.18 noborder\n");
            if (e.line) out += text("set arrow from ", at(e.x, e.y), " to ", at(e.x + 22, e.y), " nohead lw ", e.reference ? 1.2 : 2, " lc rgb ", colour, e.reference ? dash_of(e.label) : e.dashed ? " dt (6,4)" : "", "\n");
            if (e.points) out += text("set label '' at ", at(e.x + 11, e.y), " point pt 7 ps 0.55 lc rgb ", colour, "\n");
        }
        for (std::size_t c = 0; c < f_.column_titles.size(); ++c)
            out += label(f_.column_titles[c], middle(l.panels[c]), l.column_title_y, "center", label_font, true);
        for (std::size_t r = 0; r < f_.row_titles.size(); ++r) {
            auto const& p = l.panels[r * f_.columns];
            auto const& lines = l.row_titles[r];
            for (std::size_t k = 0; k < lines.size(); ++k)
                out += label(lines[k], l.row_title_x + 15 * static_cast<double>(k), p.top + p.height / 2, "center", l.row_title_font, true, true);
        }
        for (std::size_t i = 0; i < l.panels.size(); ++i) {
            auto const& p = l.panels[i];
            out += label(f_.panels[i].title, middle(p), p.top - 11, "center", label_font);
            if (f_.shared_axes || f_.panels[i].heights) continue;
            out += label(axis_label(f_.panels[i].x), middle(p), p.top + p.height + l.x_label_offset, "center", label_font);
            out += label(axis_label(f_.panels[i].y), p.left - l.y_label_offset, p.top + p.height / 2, "center", label_font, false, true);
        }
        if (f_.shared_axes && !f_.panels[0].heights) {
            out += label(axis_label(f_.panels[0].x), (l.grid_left + l.grid_right) / 2, l.grid_bottom + l.x_label_offset, "center", label_font);
            out += label(axis_label(f_.panels[0].y), l.grid_left - l.y_label_offset, (l.grid_top + l.grid_bottom) / 2, "center", label_font, false, true);
        }
        if (l.has_map) out += label(axis_label(f_.colour), l.width - 12, (l.grid_top + l.grid_bottom) / 2, "center", label_font, false, true);
        return out + "plot [0:1][0:1] NaN notitle\nunset label\nunset arrow\nunset object\n";
    }

    static double middle(panel_layout const& p) { return p.left + p.width / 2; }

    /// Range, scale and numbers of one axis. Every figure sets all it needs: one process draws many.
    static std::string axis_of(std::string_view x, scale const& s, bool numbers, bool map, double angle) {
        // Row 0 of a matrix is on top.
        auto const [first, last] = map && x == "y" ? std::pair(s.range.high, s.range.low) : std::pair(s.range.low, s.range.high);
        std::string ticks;
        for (auto const& t : s.ticks) {
            std::string shown;
            for (char c : numbers ? t.label : std::string()) shown += c == '%' ? "%%" : std::string(1, c);  // tick labels are formats
            ticks += text(ticks.empty() ? "" : ", ", gp_quoted(shown), " ", gp_number(t.at));
        }
        return text(s.log ? "set" : "unset", " logscale ", x, "\nset ", x, "range [", gp_number(first), ":", gp_number(last), "]\nset ", x,
                    "tics nomirror scale ", s.named && !map ? 0 : 0.4, angle > 0 && s.named ? text(" rotate by ", angle, " right") : " norotate",
                    s.named ? " noenhanced" : " enhanced", " font ',", tick_font, "' tc rgb '", ink, "' (", ticks, ")\n");
    }

    std::string drawing_of(std::size_t i) const {
        auto const& p = f_.panels[i];
        auto const& l = layout_.panels[i];
        if (p.heights) return margins(l.left, l.top, l.width, l.height) + relief_drawing(p, name(i, 0), l.width, l.height);
        bool const map = p.map.has_value();
        std::string out = margins(l.left, l.top, l.width, l.height) + text("set border ", map ? 15 : 3, " lw 0.8 lc rgb '", faint, "'\n");
        out += axis_of("x", l.x, l.outer_bottom, map, layout_.names_angle);
        out += axis_of("y", l.y, l.outer_left, map, 0);
        out += map ? std::string("unset grid\n") : text("set grid ", p.groups.empty() ? "xtics" : "noxtics", " ytics back lt 1 lw 0.7 lc rgb '", grid_ink, "'\n");
        if (map) out += shades();
        for (auto const& r : p.references) out += reference(r, l);

        std::vector<std::string> layers;
        for (std::size_t k = 0; k < p.curves.size(); ++k)
            if (!p.curves[k].low.empty() && p.curves[k].bars)
                layers.push_back(text(name(i, k), " using 1:3:(0):($4-$3) with vectors heads size screen 0.004,90 lw 1.4 lc rgb ", gp_colour(colour_of(p.curves[k].colour))));
            else if (!p.curves[k].low.empty())
                layers.push_back(text(name(i, k), " using 1:3:4 with filledcurves fs transparent solid 0.18 noborder lc rgb ", gp_colour(colour_of(p.curves[k].colour))));
        for (std::size_t k = 0; k < p.curves.size(); ++k) {
            auto const& c = p.curves[k];
            auto const style = c.style == draw::line ? "lines" : c.style == draw::points ? "points" : "linespoints";
            layers.push_back(text(name(i, k), " using 1:2 with ", style, " lw 2 pt 7 ps 0.55 lc rgb ", gp_colour(colour_of(c.colour)), c.dashed ? " dt (6,4)" : " dt 1"));
        }
        for (std::size_t k = 0; k < p.groups.size(); ++k) {
            layers.push_back(text(name(i, k), " using 1:2:(", gp_number(0.92 * bar_width(p)), "):5 with boxes fs solid noborder lc rgb variable"));
            if (!p.groups[k].low.empty())
                layers.push_back(text(name(i, k), " using 1:3:(0):($4-$3) with vectors heads size screen 0.006,90 lw 1.2 lc rgb '", ink, "'"));
        }
        if (map) {
            auto const place = [](std::size_t size, char const* at) { return size == 1 ? text("((", at, "-0.5)/2)") : text("(", at, ")"); };
            bool const lone = p.map->rows == 1 || p.map->columns == 1;  // else no `using`: it doubles gnuplot's time
            auto const squeezed = lone ? text(" using ", place(p.map->columns, "$1"), ":", place(p.map->rows, "$2"), ":3") : std::string();
            layers.push_back(name(i, 0) + " matrix" + squeezed + " with image");
        }
        if (layers.empty()) layers.push_back("NaN");
        return out + "plot " + joined(layers, ", \\\n  ") + "\nunset label\nunset arrow\nunset object\n";
    }

    /// The colours of a map. Its blanks show a grey ground.
    std::string shades() const {
        static constexpr char const* sequential =
            "0 '#F7FBFF', 1 '#DEEBF7', 2 '#C6DBEF', 3 '#9ECAE1', 4 '#6BAED6', 5 '#4292C6', 6 '#2171B5', 7 '#08519C', 8 '#08306B'";
        static constexpr char const* diverging =
            "0 '#053061', 1 '#2166AC', 2 '#4393C3', 3 '#92C5DE', 4 '#F7F7F7', 5 '#F4A582', 6 '#D6604D', 7 '#B2182B', 8 '#67001F'";
        auto const [low, high] = layout_.colour.range;
        return text("set palette defined (", f_.palette == colours::sequential ? sequential : diverging, ")\nset cbrange [", gp_number(low), ":",
                    gp_number(high), "]\n", layout_.colour.log ? "set" : "unset", " logscale cb\n",
                    "set object rectangle from graph 0,0 to graph 1,1 behind fc rgb '#EBEBEB' fs solid noborder\n");
    }

    /// The bar that explains the colours of all maps: a picture, since gnuplot's own shows hairlines in a PDF.
    std::string colour_bar() const {
        auto const& s = layout_.colour;
        double const tall = std::min(layout_.grid_bottom - layout_.grid_top, 320.0), left = layout_.grid_right + 14, wide = 12;
        double const top = (layout_.grid_top + layout_.grid_bottom - tall) / 2;
        std::string out = shades() + "unset object\nunset logscale\nset cbrange [0:255]\nunset border\nunset tics\nunset grid\n";
        out += margins(left, top, wide, tall);
        for (auto const& t : s.ticks) {
            double const share = s.log ? std::log(t.at / s.range.low) / std::log(s.range.high / s.range.low)
                                       : (t.at - s.range.low) / (s.range.high - s.range.low);
            out += label(t.label, left + wide + 6, top + tall * (1 - share), "left", tick_font, false, false, !s.named);
        }
        return out + "set xrange [-0.5:1.5]\nset yrange [-0.5:255.5]\nplot $" + prefix_ + "_bar matrix with image\nunset label\n";
    }

    std::string reference(reference_line const& r, panel_layout const& l) const {
        auto const at = gp_number(r.at);
        auto const& s = r.vertical ? l.x : l.y;
        if (!(r.at >= s.range.low && r.at <= s.range.high)) return {};
        return text(r.vertical ? text("set arrow from first ", at, ", graph 0 to first ", at, ", graph 1")
                               : text("set arrow from graph 0, first ", at, " to graph 1, first ", at),
                    " nohead lw 1.2", dash_of(r.label), " lc rgb '", faint, "' back\n");
    }

    figure const& f_;
    std::string prefix_;
    figure_layout layout_;
};

}  // namespace attnlab::detail
