#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>

#include "ptx.hpp"

namespace simulated {
namespace {

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
    return s;
}
std::vector<std::string> words_of(std::string_view s) {
    std::vector<std::string> r;
    std::string w;
    for (char const c : s)
        if (std::isspace(static_cast<unsigned char>(c)) || c == ',') {
            if (!w.empty()) r.push_back(std::move(w));
            w.clear();
        } else {
            w += c;
        }
    if (!w.empty()) r.push_back(w);
    return r;
}
std::string without_comments(std::string_view text) {
    std::string r;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 2) == "//")
            while (i < text.size() && text[i] != '\n') ++i;
        else if (text.substr(i, 2) == "/*")
            i = text.find("*/", i) + 1;
        if (i < text.size()) r += text[i] == '/' ? ' ' : text[i];
    }
    return r;
}
bool is_name(std::string_view s) {
    return !s.empty() && !std::isdigit(static_cast<unsigned char>(s[0])) &&
           std::all_of(s.begin(), s.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%'; });
}
std::size_t bytes_of(std::string_view type) {
    static std::map<std::string_view, std::size_t> const known{{".b8", 1}, {".u8", 1}, {".s8", 1}, {".b16", 2}, {".u16", 2}, {".s16", 2}, {".f16", 2},
                                                               {".b32", 4}, {".u32", 4}, {".s32", 4}, {".f32", 4}, {".b64", 8}, {".u64", 8}, {".s64", 8}, {".f64", 8}};
    auto const at = known.find(type);
    if (at == known.end()) throw fault("a variable of type " + std::string(type) + " is not known");
    return at->second;
}

/// A variable: `.align 8 .b8 name[40] = {1, 2}`, after its state space.
struct variable {
    std::string name;
    std::size_t size = 1, align = 1;
    std::vector<unsigned char> value;
};
variable variable_of(std::string_view s) {
    auto const equal = s.find('=');
    auto const words = words_of(s.substr(0, equal));
    variable v;
    std::size_t element = 1;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == ".align") v.align = std::stoul(words[++i]);
        else if (words[i][0] == '.' && words[i] != ".ptr") element = bytes_of(words[i]);
        else v.name += words[i];
    }
    v.align = std::max(v.align, element);
    v.size = element;
    if (auto const bracket = v.name.find('['); bracket != v.name.npos) {
        v.size *= std::strtoull(v.name.c_str() + bracket + 1, nullptr, 10);
        v.name.resize(bracket);
    }
    v.value.assign(v.size, 0);
    if (equal != s.npos) {
        std::string list(s.substr(equal + 1));
        std::erase_if(list, [](char c) { return c == '{' || c == '}'; });
        std::size_t at = 0;
        for (auto const& w : words_of(list)) {
            auto const number = static_cast<word>(w[0] == '-' ? static_cast<word>(std::strtoll(w.c_str(), nullptr, 0)) : std::strtoull(w.c_str(), nullptr, 0));
            for (std::size_t b = 0; b < element && at < v.size; ++b) v.value[at++] = static_cast<unsigned char>(number >> 8 * b);
        }
    }
    return v;
}

/// What a statement's name loses: rounding to nearest, and hints that change no result.
bool changes_nothing(std::string_view part) {
    static std::set<std::string_view> const known{"rn", "ftz", "approx", "full", "uni", "sync", "aligned", "volatile", "weak", "nc", "cta"};
    return known.contains(part) || part.starts_with("L1") || part.starts_with("L2");
}
std::string plain_name(std::string_view opcode) {
    std::string r;
    bool const flushes = opcode.starts_with("lg2") || opcode.starts_with("rcp") || opcode.starts_with("div") || opcode.starts_with("ex2");   // where that could show
    std::size_t from = 0;
    while (from <= opcode.size()) {
        auto const dot = std::min(opcode.find('.', from), opcode.size());
        auto part = opcode.substr(from, dot - from);
        if (part == "shared::cta") part = "shared";
        if (!changes_nothing(part) || (part == "ftz" && flushes)) (r += r.empty() ? "" : ".") += part;
        from = dot + 1;
    }
    return r;
}

/// A function of a program, which is written out where it is called.
struct function {
    std::vector<std::string> results, parameters;   ///< names
    std::string_view body;
};
using functions = std::map<std::string, function, std::less<>>;

class reader {
public:
    reader(module& m, functions const& f, kernel& k) : m_(m), functions_(f), k_(k) {}

    void symbol(std::string const& name, word value) { symbols_[name] = value; }

    void shared_variables(std::string_view text) {
        for (auto at = text.find(".shared "); at != text.npos; at = text.find(".shared ", at + 1))
            memory(variable_of(text.substr(at + 8, text.find(';', at) - at - 8)), k_.static_shared);
        k_.static_shared = (k_.static_shared + 127) / 128 * 128;
    }
    /// The statements between a kernel's braces.
    void body(std::string_view text) {
        statements(text);
        instruction end;
        end.then = flow::exit;
        end.text = "ret";
        k_.code.push_back(end);
    }

private:
    using names = std::map<std::string, int, std::less<>>;

    void statements(std::string_view text) {
        auto const outer = std::exchange(scopes_, {names{}});
        auto const outer_labels = std::exchange(labels_, {});
        auto const outer_jumps = std::exchange(jumps_, {});
        std::string statement;
        int depth = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            char const c = text[i];
            auto const so_far = trimmed(statement);
            if (c == '{' && so_far.empty()) scopes_.emplace_back();
            else if (c == '}' && so_far.empty()) scopes_.pop_back();
            else if (c == ';' && depth == 0) {
                take(so_far);
                statement.clear();
            } else if (c == ':' && is_name(so_far) && text.substr(i, 2) != "::") {
                labels_[std::string(so_far)] = static_cast<int>(k_.code.size());
                statement.clear();
            } else {
                if (c == '{') ++depth;
                if (c == '}') --depth;
                statement += c;
            }
        }
        for (auto const& [index, label] : jumps_) {
            auto const at = labels_.find(label);
            if (at == labels_.end()) throw fault("a branch to " + label + ", which is not there");
            k_.code[index].target = at->second;
        }
        scopes_ = outer, labels_ = outer_labels, jumps_ = outer_jumps;
    }

    /// `(result), name, (argument, ...)`: arguments lie in local memory, under the caller's names and the function's.
    void call(std::string_view s) {
        std::vector<std::vector<std::string>> parts;   // in brackets, or between them
        for (std::size_t at = 0; at < s.size();) {
            bool const bracket = s[at] == '(';
            auto const end = std::min(s.find(bracket ? ')' : '(', at), s.size());
            if (auto words = words_of(s.substr(at + bracket, end - at - bracket)); !words.empty() || bracket) parts.push_back(std::move(words));
            at = end + bracket;
        }
        bool const gives = !s.empty() && s[0] == '(';
        auto const& name = parts.at(gives ? 1 : 0).at(0);
        auto const found = functions_.find(name);
        if (found == functions_.end()) throw fault("the function " + name + " is not known");
        auto const& f = found->second;
        auto const rename = [&](std::vector<std::string> const& theirs, std::vector<std::string> const& ours) {
            if (theirs.size() != ours.size()) throw fault("a call of " + name + " with " + std::to_string(ours.size()) + " arguments");
            for (std::size_t i = 0; i < ours.size(); ++i) symbols_[theirs[i]] = symbols_.at(ours[i]), in_local_.insert(theirs[i]);
        };
        if (gives) rename(f.results, parts[0]);
        std::size_t const arguments = gives ? 2 : 1;
        rename(f.parameters, arguments < parts.size() ? parts[arguments] : std::vector<std::string>{});
        auto const outer = std::exchange(returns_, std::vector<std::size_t>{});
        statements(f.body);
        for (auto const at : *returns_) k_.code[at].target = static_cast<int>(k_.code.size());
        returns_ = outer;
    }
    void take(std::string_view s) {
        if (s.empty()) return;
        if (s.starts_with(".param")) {
            auto const v = variable_of(s.substr(6));
            in_local_.insert(v.name);
            return memory(v, k_.local);
        }
        if (s.starts_with(".reg")) return registers(s.substr(4));
        if (s.starts_with(".local")) return memory(variable_of(s.substr(6)), k_.local);
        if (s[0] == '.') return;   // .pragma, .loc
        instruction i;
        i.text = std::string(s);
        if (s[0] == '@') {
            auto const end = s.find_first_of(" \t");
            auto guard = s.substr(1, end - 1);
            if (guard[0] == '!') i.unless = true, guard.remove_prefix(1);
            i.guard = slot(std::string(guard));
            s = trimmed(s.substr(end));
        }
        auto const end = std::min(s.find_first_of(" \t"), s.size());
        auto name = plain_name(s.substr(0, end));
        auto const rest = trimmed(s.substr(end));
        if (name == "call") return call(rest);
        if (name.starts_with("ld.param.") || name.starts_with("st.param.")) {   // a function's lie where its caller has put them
            auto const open = rest.find('[') + 1;
            if (in_local_.contains(trimmed(rest.substr(open, rest.find_first_of("+]", open) - open)))) name.replace(3, 5, "local");
        }
        if (name == "bra" || (returns_ && name == "ret")) {
            i.then = flow::branch;
            if (name == "ret") returns_->push_back(k_.code.size());
            else jumps_.emplace_back(k_.code.size(), std::string(rest));
        } else if (name == "ret" || name == "exit") {
            i.then = flow::exit;
        } else if (auto const* const known = find_instruction(name)) {
            i.does = known->does;
            i.then = known->then;
            operands(i, rest);
        }
        k_.code.push_back(std::move(i));
    }
    /// `.pred %p<30>`, or `.b32 a, b`.
    void registers(std::string_view s) {
        auto const words = words_of(s);
        for (std::size_t n = 1; n < words.size(); ++n) {
            auto const angle = words[n].find('<');
            if (angle == std::string::npos) scopes_.back()[words[n]] = k_.slots++;   // numbered ones get a slot where they are met
        }
    }
    void memory(variable const& v, std::size_t& used) {
        used = (used + v.align - 1) / v.align * v.align;
        symbols_[v.name] = used;
        used += v.size;
    }
    int slot(std::string const& name) {
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
            if (auto const at = scope->find(name); at != scope->end()) return at->second;
        static std::map<std::string, int> const special{{"%tid.x", tid_x}, {"%tid.y", tid_y}, {"%tid.z", tid_z}, {"%ntid.x", ntid_x}, {"%ntid.y", ntid_y},
                                                        {"%ntid.z", ntid_z}, {"%ctaid.x", ctaid_x}, {"%ctaid.y", ctaid_y}, {"%ctaid.z", ctaid_z},
                                                        {"%nctaid.x", nctaid_x}, {"%nctaid.y", nctaid_y}, {"%nctaid.z", nctaid_z}, {"%laneid", laneid}};
        if (auto const at = special.find(name); at != special.end()) return at->second;
        if (name.find('.') != name.npos) throw fault("the register " + name + " is not known");
        return scopes_.front()[name] = k_.slots++;
    }
    int constant(word value) {
        auto const [at, fresh] = constants_.try_emplace(value, k_.slots);
        if (fresh) k_.constants.emplace_back(k_.slots++, value);
        return at->second;
    }
    /// A register, a number or a symbol.
    int operand(std::string_view s) {
        s = trimmed(s);
        if (s == "_") return k_.slots++;
        if (s[0] == '%') return slot(std::string(s));
        std::string const text(s);
        if (s.starts_with("0f") || s.starts_with("0F") || s.starts_with("0d") || s.starts_with("0D")) return constant(std::strtoull(text.c_str() + 2, nullptr, 16));
        if (s[0] == '-') return constant(static_cast<word>(std::strtoll(text.c_str(), nullptr, 0)));
        if (std::isdigit(static_cast<unsigned char>(s[0]))) return constant(std::strtoull(text.c_str(), nullptr, 0));
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
            if (auto const at = scope->find(s); at != scope->end()) return at->second;
        if (auto const at = symbols_.find(s); at != symbols_.end()) return constant(at->second);
        if (auto const at = m_.globals.find(s); at != m_.globals.end()) return constant(reinterpret_cast<word>(at->second.data()));
        throw fault("the name " + text + " is not known");
    }
    void operands(instruction& i, std::string_view s) {
        int addresses = 0;
        auto const add = [&](int slot) {
            if (i.count == static_cast<int>(i.at.size())) throw fault("too many operands: " + i.text);
            i.at[static_cast<std::size_t>(i.count++)] = slot;
        };
        std::string one;
        int inside = 0;
        auto const end_of_operand = [&] {
            std::string_view o = trimmed(one);
            if (o.empty()) return;
            if (o[0] == '[') {
                o = trimmed(o.substr(1, o.size() - 2));
                auto const plus = o.find('+');
                add(operand(o.substr(0, plus)));
                if (plus != o.npos) i.offset[static_cast<std::size_t>(addresses)] = std::strtoll(std::string(trimmed(o.substr(plus + 1))).c_str(), nullptr, 0);
                ++addresses;
            } else if (auto const bar = o.find('|'); bar != o.npos) {
                add(operand(o.substr(0, bar)));
                add(operand(o.substr(bar + 1)));
            } else if (o[0] == '!') {
                throw fault("a negated operand is not known: " + i.text);
            } else {
                add(operand(o));
            }
        };
        for (char const c : s) {
            if (c == '[') ++inside;
            if (c == ']') --inside;
            if (c == '{' || c == '}') continue;   // a vector's elements are operands
            if (c == ',' && inside == 0) {
                end_of_operand();
                one.clear();
            } else {
                one += c;
            }
        }
        end_of_operand();
    }

    module& m_;
    functions const& functions_;
    kernel& k_;
    std::vector<names> scopes_;
    std::set<std::string, std::less<>> in_local_;   ///< parameters of functions
    std::optional<std::vector<std::size_t>> returns_;   ///< of the function that is being written out
    std::map<std::string, word, std::less<>> symbols_;
    std::map<std::string, int> labels_;
    std::vector<std::pair<std::size_t, std::string>> jumps_;
    std::map<word, int> constants_;
};

/// The text from `open` (at a bracket) to its partner.
std::string_view between(std::string_view text, std::size_t open) {
    char const opens = text[open], closes = opens == '{' ? '}' : ')';
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (text[i] == opens) ++depth;
        if (text[i] == closes && --depth == 0) return text.substr(open + 1, i - open - 1);
    }
    throw fault("PTX ends inside a bracket");
}

/// `.param .b64 name, ...`
std::vector<variable> variables_of(std::string_view list) {
    std::vector<variable> r;
    for (std::size_t from = 0; from < list.size();) {
        auto const comma = std::min(list.find(',', from), list.size());
        if (auto const one = trimmed(list.substr(from, comma - from)); !one.empty()) r.push_back(variable_of(one.substr(6)));
        from = comma + 1;
    }
    return r;
}
std::vector<std::string> names_of(std::string_view list) {
    std::vector<std::string> r;
    for (auto& v : variables_of(list)) r.push_back(std::move(v.name));
    return r;
}
functions functions_of(std::string_view t) {
    functions all;
    for (auto at = t.find(".func"); at != t.npos; at = t.find(".func", at + 1)) {
        auto const brace = t.find('{', at);
        if (t.find(';', at) < brace) continue;   // said here, written elsewhere
        auto rest = trimmed(t.substr(at + 5, brace - at - 5));
        function f;
        f.body = between(t, brace);
        if (rest[0] == '(') {
            auto const list = between(rest, 0);
            f.results = names_of(list);
            rest = trimmed(rest.substr(list.size() + 2));
        }
        auto const open = std::min(rest.find('('), rest.size());
        if (open < rest.size()) f.parameters = names_of(between(rest, open));
        all[std::string(trimmed(rest.substr(0, open)))] = std::move(f);
    }
    return all;
}

}  // namespace

module parse(std::string_view source) {
    std::string const text = without_comments(source);
    std::string_view const t = text;
    module m;
    functions const all_functions = functions_of(t);
    std::vector<std::string> dynamic_shared;
    std::size_t at = 0;
    while (at < t.size()) {
        auto const start = t.find('.', at);
        if (start == t.npos) break;
        auto const rest = t.substr(start);
        auto const line = rest.substr(0, rest.find('\n'));
        auto const statement = rest.substr(0, rest.find(';'));
        if (line.find(".entry") != line.npos) {
            auto const open = t.find('(', start), brace = t.find('{', start);
            kernel& k = m.kernels.emplace_back();
            auto const head = words_of(t.substr(start, std::min(open, brace) - start));
            k.name = head.back();
            reader r(m, all_functions, k);
            if (open < brace) {
                for (auto const& v : variables_of(between(t, open))) {
                    k.parameter_bytes = (k.parameter_bytes + v.align - 1) / v.align * v.align;
                    k.parameters.push_back({k.parameter_bytes, v.size});
                    r.symbol(v.name, k.parameter_bytes);
                    k.parameter_bytes += v.size;
                }
            }
            auto const directives = words_of(t.substr(start, brace - start));
            if (auto const limit = std::find(directives.begin(), directives.end(), ".maxntid"); limit != directives.end())
                k.most_threads = std::stoi(limit[1]) * std::stoi(limit[2]) * std::stoi(limit[3]);
            auto const body = between(t, brace);
            r.shared_variables(body);
            for (auto const& name : dynamic_shared) r.symbol(name, k.static_shared);   // what a launch adds begins where they end
            r.body(body);
            at = brace + body.size() + 2;
        } else if (line.find(".func") != line.npos) {
            auto const brace = t.find('{', start), semicolon = t.find(';', start);
            at = semicolon < brace ? semicolon + 1 : brace + between(t, brace).size() + 2;
        } else if (statement.find(".shared") != statement.npos && statement.find(".extern") != statement.npos) {
            dynamic_shared.push_back(variable_of(statement.substr(statement.find(".shared") + 7)).name);
            at = start + statement.size() + 1;
        } else if (auto const space = std::min(statement.find(".global "), statement.find(".const ")); space != statement.npos && rest.find(';') != rest.npos) {
            auto const v = variable_of(statement.substr(statement.find(' ', space)));
            m.globals.emplace(v.name, v.value);
            at = start + statement.size() + 1;
        } else {
            at = start + line.size();   // .version, .target, .address_size
        }
    }
    return m;
}

}  // namespace simulated
