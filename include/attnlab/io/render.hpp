#pragma once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/figure.hpp>
#include <attnlab/io/figure_script.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/markup.hpp>

/// \file
/// Figures into files, by gnuplot. One process draws all figures given at once: a report renders its figures in one call.

namespace attnlab {

/// A figure and the file it goes to, without extension.
struct figure_file {
    figure value;
    std::filesystem::path path;
};

namespace detail {

/// A folder for the time of a rendering.
class temporary_folder {
public:
    temporary_folder() {
        std::error_code problem;
        auto pattern = (std::filesystem::temp_directory_path(problem) / "attnlab-XXXXXX").string();
        if (problem || ::mkdtemp(pattern.data()) == nullptr) fail(pattern, ": cannot be made: ", system_reason(errno));
        path_ = pattern;
    }
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::filesystem::path const& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Runs `gnuplot script` without a shell; what it says goes to `log`. \throws error when it is not there or fails
inline void run_gnuplot(std::filesystem::path const& script, std::filesystem::path const& log) {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    std::string program = "gnuplot", defaults = "-d", argument = script.string();  // -d: no ~/.gnuplot, same figures everywhere
    char* const arguments[] = {program.data(), defaults.data(), argument.data(), nullptr};
    ::pid_t child = 0;
    int const problem = ::posix_spawnp(&child, program.c_str(), &files, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&files);
    require(problem != ENOENT, "gnuplot: not found in PATH: figures need it (Debian package gnuplot-nox)");
    require(problem == 0, "gnuplot: cannot be started: ", system_reason(problem));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    // The last line says what went wrong: `"FILE" line 7: what`; those before may be warnings.
    auto said = read_text(log);
    said.erase(said.find_last_not_of(" \n") + 1);
    said.erase(0, said.rfind('\n') + 1);
    fail("gnuplot: failed: ", said.empty() ? "no message" : said);
}

/// What chooses a file format in gnuplot. Sizes are in pixels, 96 an inch; the cairo terminals count fonts in points.
inline std::string terminal_of(std::string_view format, double width, double height) {
    if (format == "svg") return text("svg size ", width, ",", height, " enhanced font 'Liberation Sans,13' background '#ffffff' rounded");
    if (format == "pdf")
        return text("pdfcairo size ", width / 96, "in,", height / 96, "in enhanced font 'Liberation Sans,13' fontscale 0.5625 linewidth 1.5 rounded");
    if (format == "png") return text("pngcairo size ", 2 * width, ",", 2 * height, " enhanced font 'Liberation Sans,13' fontscale 1.5 linewidth 2 pointscale 2 dashlength 2 rounded");
    fail("figure: format '", format, "': expected svg, pdf or png");
}

/// gnuplot's SVG made fit for pages: its title and no other, a row of common fonts, and squares that stay squares when a map is enlarged.
inline std::string polished_svg(std::string svg, std::string const& title) {
    auto const replace = [&](std::string_view from, std::string_view to) {
        for (std::size_t at = 0; (at = svg.find(from, at)) != svg.npos; at += to.size()) svg.replace(at, from.size(), to);
    };
    replace("<title>Gnuplot</title>", "<title>" + html_escaped(title) + "</title>");
    // A browser would show the names of gnuplot's groups beside the mouse.
    for (auto at = svg.find("</title>"); at != svg.npos && (at = svg.find("<title>", at)) != svg.npos;) {
        auto const end = svg.find("</title>", at);
        if (end == svg.npos) break;
        svg.erase(at, end + 8 - at);
    }
    replace("font-family=\"Liberation Sans:Bold\"", "font-weight=\"bold\" font-family=\"Liberation Sans\"");
    replace("font-family=\"Liberation Sans\"", "font-family=\"Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif\"");
    replace("<image ", "<image style='image-rendering:pixelated' ");
    return svg;
}

}  // namespace detail

/// Draws every figure in every format ("svg", "pdf", "png") and writes PATH.FORMAT, each atomically.
/// \throws error when gnuplot is missing or fails, a figure does not fit together, or a file cannot be written
inline void render(std::vector<figure_file> const& figures, std::vector<std::string> const& formats = {"svg", "pdf"}) {
    detail::temporary_folder const folder;
    auto const drawn = [&](std::size_t i, std::string const& format) { return folder.path() / text(i, ".", format); };
    auto const script = folder.path() / "script.gp";
    write_atomically(script, [&](std::ostream& out) {
        out << "set encoding utf8\n";
        for (std::size_t i = 0; i < figures.size(); ++i) {
            detail::figure_script const one(figures[i].value, text("f", i));
            out << one.data();
            for (auto const& format : formats)
                out << "set terminal " << detail::terminal_of(format, one.width(), one.height()) << "\nset output "
                    << detail::gp_quoted(drawn(i, format).string()) << '\n' << one.drawing() << "set output\nreset\n";
        }
    });
    detail::run_gnuplot(script, folder.path() / "log");
    for (std::size_t i = 0; i < figures.size(); ++i)
        for (auto const& format : formats) {
            auto bytes = read_text(drawn(i, format));
            require(!bytes.empty(), "gnuplot: figure '", figures[i].value.title, "': expected a drawing, found nothing");
            if (format == "svg") {
                auto const& title = figures[i].value.title;
                bytes = detail::polished_svg(std::move(bytes), title.empty() ? figures[i].path.filename().string() : title);
            }
            auto path = figures[i].path;
            write_atomically(path += "." + format, [&](std::ostream& out) { out << bytes; });
        }
}

/// One figure as PATH.svg and PATH.pdf.
inline void render(figure const& f, std::filesystem::path const& path) { render({{f, path}}); }

}  // namespace attnlab
