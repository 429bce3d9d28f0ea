// Prints the page docs/completeness.md of the manual.
#include "test/integration/completeness/OpTable.h"

#include <cstdio>

int main() {
  std::string page = nibble::test::pageOf(nibble::test::makeOpTable(),
                                          nibble::test::knownHoles());
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0
                                                                         : 1;
}
