// The arith dialect on one element. Integers are computed in 64 bits and
// wrapped to their width by the caller.
#include "lib/Reference/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

unsigned widthOf(Type type) {
  auto integer = dyn_cast<IntegerType>(getElementTypeOrSelf(type));
  return integer ? integer.getWidth() : 64;
}

// An operand read as an unsigned number.
uint64_t unsignedOf(int64_t value, Type type) {
  unsigned width = widthOf(type);
  return width >= 64
             ? static_cast<uint64_t>(value)
             : static_cast<uint64_t>(value) & ((uint64_t(1) << width) - 1);
}

// An operand read as a signed number; an i1 that is set is -1.
int64_t signedOf(int64_t value, Type type) {
  return widthOf(type) == 1 ? -value : value;
}

using RealFunction = double (*)(double, double);
template <RealFunction function>
bool real(Operation *, ArrayRef<Scalar> in, Scalar &out) {
  out.real = function(in[0].real, in[1].real);
  return true;
}

using UnsignedFunction = uint64_t (*)(uint64_t, uint64_t);
template <UnsignedFunction function>
bool bits(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  Type type = op->getOperand(0).getType();
  out.integer = static_cast<int64_t>(function(unsignedOf(in[0].integer, type),
                                              unsignedOf(in[1].integer, type)));
  return true;
}

using SignedFunction = int64_t (*)(int64_t, int64_t);
template <SignedFunction function>
bool integers(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  Type type = op->getOperand(0).getType();
  out.integer =
      function(signedOf(in[0].integer, type), signedOf(in[1].integer, type));
  return true;
}

// Division has no result for a divisor of 0, or when the quotient overflows.
template <SignedFunction function>
bool signedDivision(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  bool overflows = in[1].integer == -1 &&
                   in[0].integer == std::numeric_limits<int64_t>::min();
  return in[1].integer != 0 && !overflows && integers<function>(op, in, out);
}
template <UnsignedFunction function>
bool unsignedDivision(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  return in[1].integer != 0 && bits<function>(op, in, out);
}

int64_t floorDivide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
int64_t ceilDivide(int64_t a, int64_t b) {
  return a / b + (a % b != 0 && (a < 0) == (b < 0));
}

// maximumf and minimumf propagate NaN; maxnumf and minnumf prefer the number.
double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::fmax(a, b);
}
double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::fmin(a, b);
}

bool compareReals(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  double a = in[0].real;
  double b = in[1].real;
  bool unordered = std::isnan(a) || std::isnan(b);
  auto predicate = cast<arith::CmpFOp>(op).getPredicate();
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::AlwaysFalse:
    out.integer = false;
    break;
  case P::OEQ:
    out.integer = a == b;
    break;
  case P::OGT:
    out.integer = a > b;
    break;
  case P::OGE:
    out.integer = a >= b;
    break;
  case P::OLT:
    out.integer = a < b;
    break;
  case P::OLE:
    out.integer = a <= b;
    break;
  case P::ONE:
    out.integer = !unordered && a != b;
    break;
  case P::ORD:
    out.integer = !unordered;
    break;
  case P::UEQ:
    out.integer = unordered || a == b;
    break;
  case P::UGT:
    out.integer = unordered || a > b;
    break;
  case P::UGE:
    out.integer = unordered || a >= b;
    break;
  case P::ULT:
    out.integer = unordered || a < b;
    break;
  case P::ULE:
    out.integer = unordered || a <= b;
    break;
  case P::UNE:
    out.integer = a != b;
    break;
  case P::UNO:
    out.integer = unordered;
    break;
  case P::AlwaysTrue:
    out.integer = true;
    break;
  }
  return true;
}

bool compareIntegers(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  Type type = op->getOperand(0).getType();
  int64_t a = signedOf(in[0].integer, type);
  int64_t b = signedOf(in[1].integer, type);
  uint64_t ua = unsignedOf(in[0].integer, type);
  uint64_t ub = unsignedOf(in[1].integer, type);
  using P = arith::CmpIPredicate;
  switch (cast<arith::CmpIOp>(op).getPredicate()) {
  case P::eq:
    out.integer = a == b;
    break;
  case P::ne:
    out.integer = a != b;
    break;
  case P::slt:
    out.integer = a < b;
    break;
  case P::sle:
    out.integer = a <= b;
    break;
  case P::sgt:
    out.integer = a > b;
    break;
  case P::sge:
    out.integer = a >= b;
    break;
  case P::ult:
    out.integer = ua < ub;
    break;
  case P::ule:
    out.integer = ua <= ub;
    break;
  case P::ugt:
    out.integer = ua > ub;
    break;
  case P::uge:
    out.integer = ua >= ub;
    break;
  }
  return true;
}

bool same(Operation *, ArrayRef<Scalar> in, Scalar &out) {
  out = in[0];
  return true;
}

bool signedValue(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  out.integer = signedOf(in[0].integer, op->getOperand(0).getType());
  return true;
}

bool unsignedValue(Operation *op, ArrayRef<Scalar> in, Scalar &out) {
  out.integer = static_cast<int64_t>(
      unsignedOf(in[0].integer, op->getOperand(0).getType()));
  return true;
}

// arith leaves a float outside the integer's range undefined; here it has no
// result.
bool truncateReal(Operation *, ArrayRef<Scalar> in, Scalar &out) {
  double whole = std::trunc(in[0].real);
  if (!(std::fabs(whole) < 0x1p63))
    return false;
  out.integer = static_cast<int64_t>(whole);
  return true;
}

} // namespace

void reference::addArithScalars(ScalarTable &table) {
  table["arith.addf"] = real<[](double a, double b) { return a + b; }>;
  table["arith.subf"] = real<[](double a, double b) { return a - b; }>;
  table["arith.mulf"] = real<[](double a, double b) { return a * b; }>;
  table["arith.divf"] = real<[](double a, double b) { return a / b; }>;
  table["arith.remf"] =
      real<[](double a, double b) { return std::fmod(a, b); }>;
  table["arith.maximumf"] = real<maximum>;
  table["arith.minimumf"] = real<minimum>;
  table["arith.maxnumf"] =
      real<[](double a, double b) { return std::fmax(a, b); }>;
  table["arith.minnumf"] =
      real<[](double a, double b) { return std::fmin(a, b); }>;
  table["arith.negf"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out.real = -in[0].real;
    return true;
  };
  table["arith.cmpf"] = compareReals;
  table["arith.extf"] = same;
  table["arith.truncf"] = same; // rounded by the caller
  table["arith.sitofp"] = [](Operation *op, ArrayRef<Scalar> in, Scalar &out) {
    out.real = static_cast<double>(
        signedOf(in[0].integer, op->getOperand(0).getType()));
    return true;
  };
  table["arith.uitofp"] = [](Operation *op, ArrayRef<Scalar> in, Scalar &out) {
    out.real = static_cast<double>(
        unsignedOf(in[0].integer, op->getOperand(0).getType()));
    return true;
  };
  table["arith.fptosi"] = truncateReal;
  table["arith.fptoui"] = truncateReal;

  table["arith.addi"] = bits<[](uint64_t a, uint64_t b) { return a + b; }>;
  table["arith.subi"] = bits<[](uint64_t a, uint64_t b) { return a - b; }>;
  table["arith.muli"] = bits<[](uint64_t a, uint64_t b) { return a * b; }>;
  table["arith.andi"] = bits<[](uint64_t a, uint64_t b) { return a & b; }>;
  table["arith.ori"] = bits<[](uint64_t a, uint64_t b) { return a | b; }>;
  table["arith.xori"] = bits<[](uint64_t a, uint64_t b) { return a ^ b; }>;
  table["arith.shli"] =
      bits<[](uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; }>;
  table["arith.shrui"] =
      bits<[](uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; }>;
  table["arith.shrsi"] = integers<[](int64_t a, int64_t b) {
    return a >> (b >= 0 && b < 64 ? b : 63);
  }>;
  table["arith.maxsi"] =
      integers<[](int64_t a, int64_t b) { return a > b ? a : b; }>;
  table["arith.minsi"] =
      integers<[](int64_t a, int64_t b) { return a < b ? a : b; }>;
  table["arith.maxui"] =
      bits<[](uint64_t a, uint64_t b) { return a > b ? a : b; }>;
  table["arith.minui"] =
      bits<[](uint64_t a, uint64_t b) { return a < b ? a : b; }>;
  table["arith.divsi"] =
      signedDivision<[](int64_t a, int64_t b) { return a / b; }>;
  table["arith.remsi"] =
      signedDivision<[](int64_t a, int64_t b) { return a % b; }>;
  table["arith.floordivsi"] = signedDivision<floorDivide>;
  table["arith.ceildivsi"] = signedDivision<ceilDivide>;
  table["arith.divui"] =
      unsignedDivision<[](uint64_t a, uint64_t b) { return a / b; }>;
  table["arith.remui"] =
      unsignedDivision<[](uint64_t a, uint64_t b) { return a % b; }>;
  table["arith.ceildivui"] = unsignedDivision<[](uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
  }>;
  table["arith.cmpi"] = compareIntegers;
  table["arith.extsi"] = signedValue;
  table["arith.extui"] = unsignedValue;
  table["arith.trunci"] = same; // wrapped by the caller
  table["arith.index_cast"] = signedValue;
  table["arith.index_castui"] = unsignedValue;
  table["arith.select"] = [](Operation *, ArrayRef<Scalar> in, Scalar &out) {
    out = in[0].integer ? in[1] : in[2];
    return true;
  };
}
