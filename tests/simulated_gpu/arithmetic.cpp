#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "instructions.hpp"

namespace simulated {
namespace {

/// What .ftz makes of a number too small to be normal.
inline float flushed(float x) { return std::abs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }

/// "add" and the like of a type; sums and products of integers wrap around, as those of their unsigned kin.
template <class T>
void add_numbers(instruction_table& t, std::string const& type) {
    using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
    t["add." + type] = {lanewise<[](U a, U b) { return static_cast<U>(a + b); }>};
    t["sub." + type] = {lanewise<[](U a, U b) { return static_cast<U>(a - b); }>};
    t["neg." + type] = {lanewise<[](U a) { return static_cast<U>(-a); }>};
    t["abs." + type] = {lanewise<[](T a) { return static_cast<T>(a < 0 || (a == 0 && !std::is_integral_v<T>) ? -a : a); }>};
    if constexpr (std::is_integral_v<T>) {
        t["min." + type] = {lanewise<[](T a, T b) { return std::min(a, b); }>};
        t["max." + type] = {lanewise<[](T a, T b) { return std::max(a, b); }>};
    } else {   // of a number and a NaN, the number
        t["min." + type] = {lanewise<[](T a, T b) { return std::fmin(a, b); }>};
        t["max." + type] = {lanewise<[](T a, T b) { return std::fmax(a, b); }>};
        t["min.NaN." + type] = {lanewise<[](T a, T b) { return std::isnan(a) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : std::fmin(a, b); }>};
        t["max.NaN." + type] = {lanewise<[](T a, T b) { return std::isnan(a) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : std::fmax(a, b); }>};
        t["mul." + type] = {lanewise<[](T a, T b) { return a * b; }>};
        t["div." + type] = {lanewise<[](T a, T b) { return a / b; }>};
        t["fma." + type] = t["mad." + type] = {lanewise<[](T a, T b, T c) { return std::fma(a, b, c); }>};
        t["rcp." + type] = {lanewise<[](T a) { return 1 / a; }>};
        t["sqrt." + type] = {lanewise<[](T a) { return std::sqrt(a); }>};
        t["rsqrt." + type] = {lanewise<[](T a) { return 1 / std::sqrt(a); }>};
        t["copysign." + type] = {lanewise<[](T sign, T a) { return std::copysign(a, sign); }>};
    }
    t["selp." + type] = {lanewise<[](word a, word b, bool p) { return p ? a : b; }>};
    t["mov." + type] = {lanewise<[](word a) { return a; }>};
    t["setp.eq." + type] = {lanewise<[](T a, T b) { return a == b; }>};
    t["setp.ne." + type] = {lanewise<[](T a, T b) { return (a < b || a > b); }>};   // of floats, ne and the like are false for a NaN
    t["setp.lt." + type] = {lanewise<[](T a, T b) { return a < b; }>};
    t["setp.le." + type] = {lanewise<[](T a, T b) { return a <= b; }>};
    t["setp.gt." + type] = {lanewise<[](T a, T b) { return (a > b); }>};
    t["setp.ge." + type] = {lanewise<[](T a, T b) { return a >= b; }>};
    if constexpr (std::is_floating_point_v<T>) {
        t["setp.equ." + type] = {lanewise<[](T a, T b) { return (!(a < b || a > b)); }>};
        t["setp.neu." + type] = {lanewise<[](T a, T b) { return a != b; }>};
        t["setp.ltu." + type] = {lanewise<[](T a, T b) { return (!(a >= b)); }>};
        t["setp.leu." + type] = {lanewise<[](T a, T b) { return (!(a > b)); }>};
        t["setp.gtu." + type] = {lanewise<[](T a, T b) { return (!(a <= b)); }>};
        t["setp.geu." + type] = {lanewise<[](T a, T b) { return !(a < b); }>};
        t["setp.num." + type] = {lanewise<[](T a, T b) { return !std::isnan(a) && !std::isnan(b); }>};
        t["setp.nan." + type] = {lanewise<[](T a, T b) { return std::isnan(a) || std::isnan(b); }>};
    }
}

template <class T, class Wide, class W>   // W: Wide without a sign
void add_products(instruction_table& t, std::string const& type) {
    using U = std::make_unsigned_t<T>;
    constexpr int bits = std::numeric_limits<U>::digits;
    t["mul.lo." + type] = {lanewise<[](U a, U b) { return static_cast<U>(W{a} * b); }>};
    t["mul.hi." + type] = {lanewise<[](T a, T b) { return static_cast<T>((Wide{a} * Wide{b}) >> bits); }>};
    t["mad.lo." + type] = {lanewise<[](U a, U b, U c) { return static_cast<U>(W{a} * b + c); }>};
    t["mad.hi." + type] = {lanewise<[](T a, T b, T c) { return static_cast<T>(static_cast<U>((Wide{a} * Wide{b}) >> bits) + static_cast<U>(c)); }>};
    if constexpr (bits < 64) {
        t["mul.wide." + type] = {lanewise<[](T a, T b) { return static_cast<Wide>(Wide{a} * Wide{b}); }>};
        t["mad.wide." + type] = {lanewise<[](T a, T b, Wide c) { return static_cast<Wide>(static_cast<W>(Wide{a} * Wide{b}) + static_cast<W>(c)); }>};
    }
    // Division by zero: "unspecified, machine-specific"; here all ones, as GPUs do.
    t["div." + type] = {lanewise<[](T a, T b) { return b == 0 ? static_cast<T>(-1) : b == static_cast<T>(-1) && std::is_signed_v<T> ? static_cast<T>(U(0) - U(a)) : static_cast<T>(a / b); }>};
    t["rem." + type] = {lanewise<[](T a, T b) { return b == 0 ? a : b == static_cast<T>(-1) && std::is_signed_v<T> ? T(0) : static_cast<T>(a % b); }>};
    t["shr." + type] = {lanewise<[](T a, std::uint32_t by) { return static_cast<T>(by < bits ? a >> by : a < 0 ? -1 : 0); }>};
}

template <class U>
void add_bits(instruction_table& t, std::string const& type) {
    constexpr std::uint32_t bits = std::numeric_limits<U>::digits;
    t["and." + type] = {lanewise<[](U a, U b) { return static_cast<U>(a & b); }>};
    t["or." + type] = {lanewise<[](U a, U b) { return static_cast<U>(a | b); }>};
    t["xor." + type] = {lanewise<[](U a, U b) { return static_cast<U>(a ^ b); }>};
    t["not." + type] = {lanewise<[](U a) { return static_cast<U>(~a); }>};
    t["shl." + type] = {lanewise<[](U a, std::uint32_t by) { return static_cast<U>(by < bits ? a << by : 0); }>};
    t["shr." + type] = {lanewise<[](U a, std::uint32_t by) { return static_cast<U>(by < bits ? a >> by : 0); }>};
    t["popc." + type] = {lanewise<[](U a) { return static_cast<std::uint32_t>(std::popcount(a)); }>};
    t["clz." + type] = {lanewise<[](U a) { return static_cast<std::uint32_t>(std::countl_zero(a)); }>};
    t["selp." + type] = {lanewise<[](word a, word b, bool p) { return p ? a : b; }>};
    t["setp.eq." + type] = {lanewise<[](U a, U b) { return a == b; }>};
    t["setp.ne." + type] = {lanewise<[](U a, U b) { return (a != b); }>};
}

std::uint32_t lookup(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) {
    std::uint32_t r = 0;
    for (int bit = 0; bit < 32; ++bit) r |= (table >> ((a >> bit & 1) * 4 + (b >> bit & 1) * 2 + (c >> bit & 1)) & 1) << bit;
    return r;
}
std::uint32_t bytes_picked(std::uint32_t a, std::uint32_t b, std::uint32_t picks) {
    word const both = word{b} << 32 | a;
    std::uint32_t r = 0;
    for (int byte = 0; byte < 4; ++byte) {
        auto const pick = picks >> 4 * byte & 15;
        auto value = static_cast<std::uint32_t>(both >> 8 * (pick & 7) & 255);
        if (pick & 8) value = value & 128 ? 255 : 0;
        r |= value << 8 * byte;
    }
    return r;
}

/// mov of a vector to a register or back: parts of `Part` bits.
template <class Part>
void move_parts(warp& w, instruction const& i) {
    int const parts = i.count - 1, bits = std::numeric_limits<Part>::digits;
    // {a, b} <- c, or c <- {a, b}: the text tells which of the two has the braces.
    bool const unpacks = i.text.find('{') < i.text.find(',') && i.text.find('}') > i.text.find(',');
    w.each([&](int l) {
        if (unpacks) {
            word const whole = w.reg(i, parts)[l];
            for (int p = 0; p < parts; ++p) w.reg(i, p)[l] = static_cast<Part>(whole >> p * bits);
        } else {
            word whole = 0;
            for (int p = 0; p < parts; ++p) whole |= word{static_cast<Part>(w.reg(i, p + 1)[l])} << p * bits;
            w.reg(i, 0)[l] = whole;
        }
    });
}
/// mov.b32 and mov.b64, of a register or of parts.
template <int Bits>
void move(warp& w, instruction const& i) {
    if (i.count == 2) return lanewise<[](word a) { return a; }>(w, i);
    if (Bits / (i.count - 1) == 32) move_parts<std::uint32_t>(w, i);
    else if (Bits / (i.count - 1) == 16) move_parts<std::uint16_t>(w, i);
    else move_parts<std::uint8_t>(w, i);
}

/// Sums of 32 bits that take and leave a carry (PTX ISA, "Extended-precision integer arithmetic"): `sum(a, b, c)` as 64 bits, of which the upper say what is left.
template <auto Sum, bool Takes, bool Leaves, bool Borrows = false>
void carrying(warp& w, instruction const& i) {
    w.each([&](int l) {
        auto const of = [&](int operand) { return word{static_cast<std::uint32_t>(operand < i.count ? w.reg(i, operand)[l] : 0)}; };
        bool const in = Takes && w.carry[static_cast<std::size_t>(l)];
        word sum = Sum(of(1), of(2), of(3));
        sum = Borrows ? sum - in : sum + in;
        w.reg(i, 0)[l] = static_cast<std::uint32_t>(sum);
        if (Leaves) w.carry[static_cast<std::size_t>(l)] = sum >> 32 != 0;
    });
}
template <auto Sum, bool Borrows = false>
void add_carrying(instruction_table& t, std::string const& takes_none, std::string const& takes, std::string const& part) {
    t[takes_none + part + ".cc.u32"] = {carrying<Sum, false, true, Borrows>};
    t[takes + part + ".cc.u32"] = {carrying<Sum, true, true, Borrows>};
    t[takes + part + ".u32"] = {carrying<Sum, true, false, Borrows>};
}

/// The float next to x on the way to `limit`, where x was rounded away from it.
float rounded_towards(double exact, float limit) {
    auto const near = static_cast<float>(exact);
    bool const beyond = limit == 0 ? std::abs(static_cast<double>(near)) > std::abs(exact) : static_cast<double>(near) > exact;
    return beyond ? std::nextafter(near, limit) : near;
}

}  // namespace

void add_arithmetic(instruction_table& t) {
    add_numbers<float>(t, "f32"), add_numbers<double>(t, "f64");
    add_numbers<std::int16_t>(t, "s16"), add_numbers<std::int32_t>(t, "s32"), add_numbers<std::int64_t>(t, "s64");
    add_numbers<std::uint16_t>(t, "u16"), add_numbers<std::uint32_t>(t, "u32"), add_numbers<word>(t, "u64");
    add_products<std::int16_t, std::int32_t, std::uint32_t>(t, "s16"), add_products<std::uint16_t, std::uint32_t, std::uint32_t>(t, "u16");
    add_products<std::int32_t, std::int64_t, word>(t, "s32"), add_products<std::uint32_t, word, word>(t, "u32");
    add_products<std::int64_t, __int128, unsigned __int128>(t, "s64"), add_products<word, unsigned __int128, unsigned __int128>(t, "u64");
    add_bits<std::uint16_t>(t, "b16"), add_bits<std::uint32_t>(t, "b32"), add_bits<word>(t, "b64");
    t["and.pred"] = {lanewise<[](bool a, bool b) { return a && b; }>};
    t["or.pred"] = {lanewise<[](bool a, bool b) { return a || b; }>};
    t["xor.pred"] = {lanewise<[](bool a, bool b) { return a != b; }>};
    t["not.pred"] = {lanewise<[](bool a) { return !a; }>};
    t["mov.pred"] = {lanewise<[](bool a) { return a; }>};
    t["mov.b16"] = {move<16>}, t["mov.b32"] = {move<32>}, t["mov.b64"] = {move<64>};
    t["ex2.f32"] = {lanewise<[](float a) { return std::exp2(a); }>};
    t["lg2.f32"] = {lanewise<[](float a) { return std::log2(a); }>};
    t["ex2.ftz.f32"] = {lanewise<[](float a) { return flushed(std::exp2(flushed(a))); }>};
    t["lg2.ftz.f32"] = {lanewise<[](float a) { return std::log2(flushed(a)); }>};
    t["rcp.ftz.f32"] = {lanewise<[](float a) { return flushed(1 / flushed(a)); }>};
    t["div.ftz.f32"] = {lanewise<[](float a, float b) { return flushed(flushed(a) / flushed(b)); }>};
    t["sin.f32"] = {lanewise<[](float a) { return std::sin(a); }>};
    t["cos.f32"] = {lanewise<[](float a) { return std::cos(a); }>};
    t["tanh.f32"] = {lanewise<[](float a) { return std::tanh(a); }>};
    // A first guess of twenty bits, which the code around it makes exact.
    t["rcp.f64"] = t["rcp.ftz.f64"] = {lanewise<[](double a) { return std::bit_cast<double>(std::bit_cast<word>(1 / a) & ~word{0xffffffff}); }>};
    t["add.rz.f32"] = {lanewise<[](float a, float b) { return rounded_towards(static_cast<double>(a) + b, 0); }>};
    t["fma.rm.f32"] = {lanewise<[](float a, float b, float c) { return rounded_towards(std::fma(static_cast<double>(a), b, c), -std::numeric_limits<float>::infinity()); }>};
    add_carrying<[](word a, word b, word) { return a + b; }>(t, "add", "addc", "");
    add_carrying<[](word a, word b, word) { return a - b; }, true>(t, "sub", "subc", "");
    add_carrying<[](word a, word b, word c) { return static_cast<std::uint32_t>(a * b) + c; }>(t, "mad", "madc", ".lo");
    add_carrying<[](word a, word b, word c) { return (a * b >> 32) + c; }>(t, "mad", "madc", ".hi");
    t["lop3.b32"] = {lanewise<lookup>};
    t["prmt.b32"] = {lanewise<bytes_picked>};
    t["brev.b32"] = {lanewise<[](std::uint32_t a) {
        std::uint32_t r = 0;
        for (int bit = 0; bit < 32; ++bit) r |= (a >> bit & 1) << (31 - bit);
        return r;
    }>};
    t["shf.l.wrap.b32"] = {lanewise<[](std::uint32_t a, std::uint32_t b, std::uint32_t by) { return static_cast<std::uint32_t>(((word{b} << 32 | a) << (by & 31)) >> 32); }>};
    t["shf.r.wrap.b32"] = {lanewise<[](std::uint32_t a, std::uint32_t b, std::uint32_t by) { return static_cast<std::uint32_t>((word{b} << 32 | a) >> (by & 31)); }>};
}

}  // namespace simulated
