#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

#include <attnlab/io/figure.hpp>
#include <attnlab/io/figure_scale.hpp>

/// \file
/// Where everything of a figure stands, in pixels from its upper left corner. The program that draws knows little of the width of
/// its texts, so the room for them is reckoned here, from the number of characters.

namespace attnlab::detail {

inline constexpr double legend_sample = 28;  ///< from the start of a sample to its text
inline constexpr double tick_font = 12, label_font = 13, title_font = 15;

/// About the width of `count` characters (sans: 0.53 of the font's size each).
inline double width_of(double count, double font) { return 0.53 * font * count; }
inline double width_of(std::string const& text, double font) {
    auto const points = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
    return width_of(static_cast<double>(points), font);
}

inline double bold_width(std::string const& text) { return 1.1 * width_of(text, label_font); }

/// What the legend says once for all panels that have it.
struct legend_entry {
    std::string label;
    std::size_t colour;
    bool box, dashed, line, points;
    bool reference = false;  ///< a reference line, which has no colour of its own
    bool band = false;       ///< a band without a line in it
    double x = 0, y = 0;  ///< left end of its sample, middle of its line
};

struct panel_layout {
    double left = 0, top = 0, width = 0, height = 0;  ///< the plotting area
    scale x{}, y{};
    bool outer_left = true, outer_bottom = true;      ///< has numbers at its left, below it
};

struct figure_layout {
    double width = 0, height = 0;
    std::vector<panel_layout> panels{};
    std::vector<legend_entry> legend{};
    scale colour{};
    bool has_map = false;
    double grid_left = 0, grid_top = 0, grid_right = 0, grid_bottom = 0;  ///< around all plotting areas
    double title_y = 0, column_title_y = 0;
    std::vector<std::vector<std::string>> row_titles{};                   ///< in lines
    double row_title_font = label_font;
    double row_title_x = 0, y_label_offset = 0;                           ///< the label's distance left of a plotting area
    double x_label_offset = 0, names_angle = 0;                           ///< the label's distance below one
};

/// Shown part of the x axis (`of_x`) or y axis of the panels.
inline shown_range data_range(std::vector<panel const*> const& panels, bool of_x, bool log) {
    extent e{log};
    double share = of_x ? 0.02 : 0.05;
    for (auto const* p : panels) {
        if (p->map) {
            e.add({-0.5, static_cast<double>(of_x ? p->map->columns : p->map->rows) - 0.5});
            share = 0;
        }
        for (auto const& c : p->curves) {
            e.add(of_x ? c.x : c.y);
            if (of_x) continue;
            e.add(c.low);
            e.add(c.high);
        }
        for (auto const& b : p->groups) {
            if (of_x) {
                e.add({-0.55, static_cast<double>(b.values.size()) - 0.45});
                share = 0;
                continue;
            }
            for (auto const* values : {&b.values, &b.low, &b.high}) e.add(*values);
            e.add(0);
        }
        for (auto const& r : p->references)
            if (r.vertical == of_x) e.add(r.at);
    }
    auto range = e.padded(share);
    if (!of_x && !log && e.low == 0) range.low = 0;
    return share == 0 && e.low <= e.high ? shown_range{e.low, e.high} : range;
}

/// Colours of all maps.
inline shown_range colour_range(figure const& f) {
    extent e{f.colour.log};
    for (auto const& p : f.panels)
        if (p.map) e.add(p.map->values);
    auto range = e.low < e.high ? shown_range{e.low, e.high} : e.padded(0);
    if (f.colour.log) range.low = std::max(range.low, range.high * 1e-6);  // a lone tiny weight must not eat the scale
    if (f.palette == colours::diverging) {
        double const reach = std::max(std::abs(range.low), std::abs(range.high));
        return {-reach, reach};
    }
    return range;
}

/// Each label once, in lines that fit between the margins. Returns the height they take.
inline double place_legend(figure const& f, double left, double right, double top, std::vector<legend_entry>& out) {
    auto const add = [&](legend_entry entry) {
        bool const known = std::any_of(out.begin(), out.end(), [&](auto const& e) { return e.label == entry.label; });
        if (!entry.label.empty() && !known) out.push_back(std::move(entry));
    };
    for (auto const& p : f.panels) {
        for (auto const& c : p.curves) {
            if (!c.low.empty() && !c.bars && std::all_of(c.y.begin(), c.y.end(), [](double y) { return std::isnan(y); }))
                add({c.label, c.colour, false, false, false, false, false, true});
            else
                add({c.label, c.colour, false, c.dashed, c.style != draw::points, c.style != draw::line});
        }
        for (auto const& b : p.groups) add({b.label, b.colours[0], true, false, false, false});
        for (auto const& r : p.references) add({r.label, 0, false, true, true, false, true});
    }
    constexpr double line = 20, gap = 16;
    double x = left, y = top + line / 2;
    for (auto& e : out) {
        double const width = legend_sample + width_of(e.label, label_font);
        if (x > left && x + width > right) {
            x = left;
            y += line;
        }
        e.x = x;
        e.y = y;
        x += width + gap;
    }
    return out.empty() ? 0 : y + line / 2 - top + 6;
}

/// A name in lines, broken after each '+' where it is longer than `room`.
inline std::vector<std::string> title_lines(std::string const& title, double room) {
    std::vector<std::string> out{title};
    if (bold_width(title) <= room) return out;
    for (std::size_t at; (at = out.back().find('+')) + 1 < out.back().size() && at != title.npos;) {
        auto rest = out.back().substr(at + 1);
        out.back().resize(at + 1);
        out.push_back(std::move(rest));
    }
    return out;
}

/// Height of a panel over its width.
inline double aspect_of(figure const& f) {
    if (f.aspect > 0) return f.aspect;
    auto const& map = f.panels[0].map;
    return map ? std::clamp(static_cast<double>(map->rows) / static_cast<double>(map->columns), 0.25, 2.0) : 0.6;
}

/// The axes of panel `i`, of about `width` pixels; its place comes later.
inline panel_layout scaled_panel(figure const& f, std::size_t i, double width) {
    std::vector<panel const*> shown;
    for (std::size_t k = 0; k < f.panels.size(); ++k)
        if (f.shared_axes || k == i) shown.push_back(&f.panels[k]);
    panel const& lead = *shown[0];
    auto const is_whole = [](double v) { return v == std::floor(v); };
    bool const whole_x = std::all_of(lead.curves.begin(), lead.curves.end(),
                                     [&](auto const& c) { return std::all_of(c.x.begin(), c.x.end(), is_whole); });
    // Pixels a number or a name needs: names below bars are all shown, turned where they must be.
    double const x_room = lead.x.names.empty() ? 55 : lead.map ? 15 : 1, y_room = lead.y.names.empty() ? 36 : 15;
    panel_layout out;
    out.x = make_scale(lead.x, data_range(shown, true, lead.x.log), width / x_room, whole_x);
    out.y = make_scale(lead.y, data_range(shown, false, lead.y.log), width * aspect_of(f) / y_room, lead.map.has_value());
    if (lead.heights) out.x.ticks.clear(), out.y.ticks.clear();   // a relief has its axes inside
    out.outer_left = !f.shared_axes || i % f.columns == 0;
    out.outer_bottom = !f.shared_axes || i + f.columns >= f.panels.size();
    return out;
}

/// Lays out a figure that passed `check`. \throws error when its panels do not fit its width
inline figure_layout make_layout(figure const& f) {
    figure_layout out;
    auto const any = [&](auto const& test) { return std::any_of(f.panels.begin(), f.panels.end(), test); };
    auto const columns = static_cast<double>(f.columns), rows = static_cast<double>(f.rows());
    double const rough = 0.84 * f.width / columns;  // width of a panel, before the margins are known
    for (std::size_t i = 0; i < f.panels.size(); ++i) out.panels.push_back(scaled_panel(f, i, rough));
    out.width = f.width;
    out.has_map = any([](auto const& p) { return p.map.has_value(); });
    out.colour = make_scale(f.colour, colour_range(f), 5, false);

    // Room left of and below a panel for its numbers, names and labels.
    double y_numbers = 0, x_names = 0, x_slot = rough;
    for (auto const& p : out.panels) {
        y_numbers = std::max(y_numbers, width_of(p.y.widest(), tick_font) + 10);
        if (!p.x.named) continue;
        x_names = std::max(x_names, width_of(p.x.widest(), tick_font));
        x_slot = std::min(x_slot, rough / static_cast<double>(p.x.ticks.size()));
    }
    if (x_names > 0.95 * x_slot) out.names_angle = x_slot < 28 ? 90 : 35;
    double const x_numbers = std::max(22.0, std::sin(out.names_angle * std::numbers::pi / 180) * x_names + 14);
    double const left_room = y_numbers + (any([](auto const& p) { return !p.y.label.empty() && !p.heights; }) ? 22 : 0);
    double const bottom_room = x_numbers + (any([](auto const& p) { return !p.x.label.empty() && !p.heights; }) ? 22 : 0);
    out.y_label_offset = y_numbers + 9;
    out.x_label_offset = x_numbers + 14;

    // From left to right.
    double const gap_x = f.shared_axes ? 14 : left_room + 16;
    double const bar_room = 40 + width_of(out.colour.widest(), tick_font) + (f.colour.label.empty() ? 0 : 20);
    out.row_title_x = 13;
    std::size_t lines = 1;
    double const title_room = rough * aspect_of(f);
    for (auto const& title : f.row_titles) {
        out.row_titles.push_back(title_lines(title, title_room));
        lines = std::max(lines, out.row_titles.back().size());
        for (auto const& line : out.row_titles.back())
            out.row_title_font = std::min(out.row_title_font, std::max(8.0, label_font * title_room / bold_width(line)));
    }
    out.grid_left = left_room + (f.row_titles.empty() ? 4 : 26) + 15 * static_cast<double>(lines - 1);
    out.grid_right = f.width - (out.has_map ? bar_room : 14);
    double const width = (out.grid_right - out.grid_left - gap_x * (columns - 1)) / columns, height = width * aspect_of(f);
    require(width >= 20, "figure '", f.title, "': width: expected more than ", f.width, " pixels for ", f.columns, " columns");

    // From top to bottom.
    double const panel_title = any([](auto const& p) { return !p.title.empty(); }) ? 22 : 0;
    double const gap_y = (f.shared_axes ? 12 : bottom_room + 12) + panel_title;
    double top = 12;
    out.title_y = top + 10;
    if (!f.title.empty()) top += 30;
    if (f.legend) top += place_legend(f, out.grid_left, f.width - 8, top, out.legend);
    out.column_title_y = top + 9;
    if (!f.column_titles.empty()) top += 22;
    out.grid_top = top + panel_title;
    out.grid_bottom = out.grid_top + rows * height + (rows - 1) * gap_y;
    out.height = std::ceil(out.grid_bottom + bottom_room + 8);

    for (std::size_t i = 0; i < out.panels.size(); ++i) {
        auto& p = out.panels[i];
        p.left = out.grid_left + static_cast<double>(i % f.columns) * (width + gap_x);
        p.top = out.grid_top + static_cast<double>(i / f.columns) * (height + gap_y);
        p.width = width;
        p.height = height;
    }
    return out;
}

}  // namespace attnlab::detail
