// The math dialect on one element: the C library's float64 functions.
#include "lib/Reference/Scalars.h"

#include <cmath>

using namespace mlir;
using namespace nibble::reference;

template <double (*function)(double)>
static bool unary(Operation *, ArrayRef<Scalar> in, Scalar &out) {
  out.real = function(in[0].real);
  return true;
}

template <double (*function)(double, double)>
static bool binary(Operation *, ArrayRef<Scalar> in, Scalar &out) {
  out.real = function(in[0].real, in[1].real);
  return true;
}

static double rsqrt(double x) { return 1.0 / std::sqrt(x); }

void nibble::reference::addMathScalars(ScalarTable &table) {
  table["math.absf"] = unary<std::fabs>;
  table["math.acos"] = unary<std::acos>;
  table["math.acosh"] = unary<std::acosh>;
  table["math.asin"] = unary<std::asin>;
  table["math.asinh"] = unary<std::asinh>;
  table["math.atan"] = unary<std::atan>;
  table["math.atanh"] = unary<std::atanh>;
  table["math.cbrt"] = unary<std::cbrt>;
  table["math.ceil"] = unary<std::ceil>;
  table["math.cos"] = unary<std::cos>;
  table["math.cosh"] = unary<std::cosh>;
  table["math.erf"] = unary<std::erf>;
  table["math.erfc"] = unary<std::erfc>;
  table["math.exp"] = unary<std::exp>;
  table["math.exp2"] = unary<std::exp2>;
  table["math.expm1"] = unary<std::expm1>;
  table["math.floor"] = unary<std::floor>;
  table["math.log"] = unary<std::log>;
  table["math.log10"] = unary<std::log10>;
  table["math.log1p"] = unary<std::log1p>;
  table["math.log2"] = unary<std::log2>;
  table["math.round"] = unary<std::round>;
  table["math.roundeven"] = unary<std::nearbyint>;
  table["math.rsqrt"] = unary<rsqrt>;
  table["math.sin"] = unary<std::sin>;
  table["math.sinh"] = unary<std::sinh>;
  table["math.sqrt"] = unary<std::sqrt>;
  table["math.tan"] = unary<std::tan>;
  table["math.tanh"] = unary<std::tanh>;
  table["math.trunc"] = unary<std::trunc>;
  table["math.atan2"] = binary<std::atan2>;
  table["math.copysign"] = binary<std::copysign>;
  table["math.powf"] = binary<std::pow>;
  table["math.fma"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out.real = std::fma(in[0].real, in[1].real, in[2].real);
    return true;
  };
  table["math.clampf"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    // A NaN stays a NaN.
    bool isNumber = !std::isnan(in[0].real) && !std::isnan(in[1].real) &&
                    !std::isnan(in[2].real);
    out.real = isNumber
                   ? std::fmin(std::fmax(in[0].real, in[1].real), in[2].real)
                   : std::nan("");
    return true;
  };
  table["math.fpowi"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out.real = std::pow(in[0].real, static_cast<double>(in[1].integer));
    return true;
  };
  table["math.absi"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out.integer = in[0].integer < 0 ? 0 - static_cast<uint64_t>(in[0].integer)
                                    : in[0].integer;
    return true;
  };
  table["math.isnan"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out.integer = std::isnan(in[0].real);
    return true;
  };
}
